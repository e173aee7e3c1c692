"""Notices for people: by a command of theirs, or by mail through sendmail or an SMTP server."""

from __future__ import annotations

import smtplib
import socket
import subprocess
from collections.abc import Sequence
from email.message import EmailMessage

from mailmove.errors import Unreachable
from mailmove.safe import visible

TIMEOUT = 60  # seconds
_SENDMAIL = ("/usr/sbin/sendmail", "-i", "-t")


def run(command: Sequence[str], text: str) -> None:
    """Give a notice to a command on its standard input.

    :raises Unreachable: when it fails.
    """
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else "it did not end"
        raise Unreachable(f"the command for notices cannot be run: {told}") from None
    if done.returncode:
        raise Unreachable(f"the command for notices failed (exit {done.returncode})")


def mail(to: str, subject: str, text: str, *, server: str = "", sender: str = "") -> None:
    """Send a notice to an address, by ``server`` (``host`` or ``host:port``, SMTP without login), else by sendmail.

    :raises Unreachable: when it is not taken.
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender or to, to, subject
    message.set_content(text)
    if not server:
        run(_SENDMAIL, message.as_string())
        return
    host, _, port = server.partition(":")
    try:
        with smtplib.SMTP(host, int(port or 25), socket.gethostname(), TIMEOUT) as smtp:
            smtp.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise Unreachable(f"the notice could not be sent by mail: {visible(str(error))}") from None
