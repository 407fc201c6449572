"""Public data sets in their official layouts, read into canonical records."""
