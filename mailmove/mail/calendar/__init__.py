"""Invitations and address cards."""
