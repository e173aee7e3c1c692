"""Mending: files and record brought back together, after a crash, a loss, or the work of other programs."""
