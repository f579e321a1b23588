"""The domain-free floor: errors, ids, clock, limits, money, hashing. Imports nothing of Dipper."""
