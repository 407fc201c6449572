"""Schema history, run by `app.database.migrate`."""
