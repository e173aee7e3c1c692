"""Pages of HTML: elements in which text is text, and drawings."""
