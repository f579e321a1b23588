"""The engines that need no service: files, LMDB, SQLite, Delta Lake, DuckDB. The only importers of drivers."""
