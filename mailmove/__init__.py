"""mailmove gives an IMAP account the POP3 bargain: mail comes home, then the server may let go of it by age."""

__version__ = "0.1.0"
