"""Head circumference from ultrasound images."""
