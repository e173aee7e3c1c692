"""The seal: one number for all that an archive has recorded, and proofs that hang on it."""
