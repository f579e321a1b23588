"""The control plane on its own port: management API, tour, health. Loopback and token by default."""
