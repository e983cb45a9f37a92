"""A Postgres cluster for trials, out of the server that is installed."""
