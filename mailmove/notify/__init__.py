"""Who is told, and how: a dead man's switch by URL, a command, mail. No URL is ever shown: it is a secret."""
