"""IMAP4rev1 (RFC 3501), read-only: one file a concern. Parser and state are apart; no file here knows a socket."""
