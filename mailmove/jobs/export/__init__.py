"""Export: bring every message of every folder home."""
