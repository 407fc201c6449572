"""The web application and command line over `models`."""
