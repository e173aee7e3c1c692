"""The state directory: what this machine remembers of archives, logins and audits, apart from any archive."""
