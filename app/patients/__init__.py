"""Women, pregnancies, fetuses and their examinations."""
