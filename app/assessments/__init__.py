"""Assessments: making, showing, reviewing and signing them."""
