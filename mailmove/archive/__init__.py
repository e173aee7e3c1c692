"""The archive on disk: the only writer of mail. Nothing here knows IMAP.

From the ground up: ``files`` (what things are called, and what makes them last), ``record`` (``archive.toml`` and the
journal), ``index`` (derived from the journal), ``state`` (what this machine remembers), ``store`` (an archive that is
open), ``proof`` (doubts it), ``writing`` (puts messages into it), ``mending`` (brings files and record together again).
"""
