"""Text of attached documents: PDF, RTF, Office Open XML, OpenDocument.

Libraries read what strangers made, so they do it in a process of their own, with limits on time, memory and output: a
document that kills it costs its own text and a note. :mod:`.extractor` is this side, :mod:`.worker` the other.
"""
