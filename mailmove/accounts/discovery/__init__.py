"""From an e-mail address to the server of its mailbox: provider table, autoconfig, DNS.

``find`` is the way through them. Nothing here logs in anywhere, and nothing it finds is without TLS.
"""
