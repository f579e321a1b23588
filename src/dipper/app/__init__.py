"""The composition root: settings, the workspace, and how engines and slices are put together."""
