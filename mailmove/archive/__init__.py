"""The archive on disk: the only writer of mail. Nothing here knows IMAP.

``names`` and ``layout`` say what things are called, ``durable`` makes them last, ``journal`` is the record, ``index``
is derived from it, ``store`` opens and locks an archive, ``writer`` puts messages into it, ``proof`` doubts them.
"""
