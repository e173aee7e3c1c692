"""The index: what the journal says, made again from it whenever it is lost."""
