"""The control plane on its own port: management API, tour, health; loopback and token."""
