"""What protects people: the never-store filter, erasure, masking. Sees values, never their
meaning.
"""
