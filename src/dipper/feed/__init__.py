"""The bank's own data from files: history of any shape becomes events."""
