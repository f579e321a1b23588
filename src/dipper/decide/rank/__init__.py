"""Rankers: the order of the offers that passed, learned from outcomes, with its probabilities."""
