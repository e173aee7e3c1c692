"""Accounts: how they are configured, where their secrets are, how they are found and signed in to."""
