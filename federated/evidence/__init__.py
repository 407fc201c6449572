"""Out-of-fold evidence for the shipped recipes: long, resumable, one stored prediction a record."""
