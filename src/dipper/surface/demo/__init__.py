"""The example bank in motion: a seeded population, its hidden needs, its history, two live days."""
