"""The page of ``mailmove browse``: archives in a browser of this machine, read-only."""
