"""Audit: where the room of a mailbox goes, and when it will be full."""
