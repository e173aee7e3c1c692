"""Proof that a message is in the archive: what its file holds when it is hashed now, wherever it was moved."""
