"""What a bank configures: the kinds, the loader, the checks, the program. Pure but for `load`.

May import kit, expr and fold. It knows nothing of engines, of people or of the clock.
"""
