"""Restore: put archived messages back on a server."""
