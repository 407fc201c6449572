"""Users, sessions, API tokens and the guards of every route."""
