"""IMAP: the only place that talks to a server.

``connection`` opens a session with imapclient; from there on ``wire`` sends commands and reads answers through the one
``reader``, and each other module is one thing to ask a server. Nothing here knows the archive.
"""
