"""The folds: pure passes over timelines. Kernels are driven by tables, not generated from specs."""
