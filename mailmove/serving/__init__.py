"""The archive to mail programs: read-only by IMAP (RFC 3501) and POP3 (RFC 1939). How mail got in it does not know."""
