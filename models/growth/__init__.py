"""Growth: standards, estimated weight, dating, consensus criteria, and how likely a fetus is small or large."""
