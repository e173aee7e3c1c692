"""Decisions, as pure functions: what the server holds, what the archive holds, the policy and the time go in; what to
do and why comes out. No clock, network, disk or log here.
"""
