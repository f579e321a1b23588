"""One suite of tests for each port, shipped so that every engine inherits it, ours or installed."""
