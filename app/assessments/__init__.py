"""Assessments: made, shown, reviewed, signed."""
