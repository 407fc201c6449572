"""Commands of `fetal-health`, one file a subject. Nothing heavy is imported before a command runs."""
