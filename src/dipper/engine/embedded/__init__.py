"""The engines that need no service: files, LMDB, SQLite, Delta Lake, DuckDB.

Nothing outside imports a driver.
"""
