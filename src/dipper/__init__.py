"""Dipper: the engine with which a bank runs its scenario ecosystem."""
