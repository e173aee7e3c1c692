"""Run: export, copy, prune and a look at the quota, one after the other."""
