"""The folds: pure passes over timelines. Kernels are table-driven and never generated from specs."""
