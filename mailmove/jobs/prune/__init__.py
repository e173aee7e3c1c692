"""Prune: look, plan and prove; then, once somebody has agreed, delete."""
