"""The lane: compiled kernels for the events that are exactly as declared, which is nearly all."""
