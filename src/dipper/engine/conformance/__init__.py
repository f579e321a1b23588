"""What every engine of a port must do: one suite a port, shipped so that any engine can inherit it."""
