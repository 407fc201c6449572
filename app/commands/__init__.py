"""Commands of `fetal-health`, one file for each subject. Slow imports happen only when a command runs."""
