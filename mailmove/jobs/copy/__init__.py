"""Copy: bring an archive's second places up to where it is itself."""
