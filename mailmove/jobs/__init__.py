"""One command's work each: look, plan, act, and a result value. Nothing here prints.

A job is a generator: it yields progress while it works and returns its result.
"""
