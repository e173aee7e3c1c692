"""Writing: octets on their way into an archive, and where those go that are doubted."""
