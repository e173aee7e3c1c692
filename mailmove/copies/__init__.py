"""An archive in a second place: a directory on another disk that holds the same messages and the same record."""
