"""What people and programs touch: HTTP, worker, control plane, command line, demo."""
