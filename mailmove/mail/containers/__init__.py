"""Parts that hold a message in a form of their own: S/MIME, and what Outlook calls winmail.dat."""
