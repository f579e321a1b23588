"""The gates: each offer passes all of them or is held back, and the trace says by which one.

One file per gate declares its facts (`NAME`, `TITLE`, `RULES`, `OFFER`, `NEEDS`, `CONDITION`,
`REASONS`) and a pure `check`. `registry` lists them; `dipper.decide.screen` runs them.
"""
