"""Encoders a modality, a shared trunk, a head a task: one representation of CTG and ultrasound."""
