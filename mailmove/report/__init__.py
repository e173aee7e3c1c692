"""Results as text for people or as JSON for programs. Nothing here works; nothing here knows a server or a disk."""
