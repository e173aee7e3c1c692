"""``mailmove demo``: the real commands against a real IMAP server that lives for a minute."""
