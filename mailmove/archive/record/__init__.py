"""The record: what an archive is, and the journal of all that happened to it."""
