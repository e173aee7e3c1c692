"""Proof that a message is in the archive, and what to make of files that others moved or left."""
