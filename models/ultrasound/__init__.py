"""Ultrasound of the fetal head: image, segmentation, biometry and growth."""
