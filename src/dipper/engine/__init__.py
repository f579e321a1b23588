"""Ports to what holds data (log, state, control, lake, runner), their suites, and the engines."""
