"""The command `dipper`, a verb a file. Verbs import what they need when they run."""
