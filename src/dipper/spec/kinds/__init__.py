"""One file a kind: why it exists, its fields, what it needs, what can be wrong, an example."""
