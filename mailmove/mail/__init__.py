"""What is inside one message, for people: header fields, MIME, charsets; not where it came from."""
