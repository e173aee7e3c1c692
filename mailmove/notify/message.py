"""Notices for people: by a command of theirs, by Apprise, or by mail through sendmail or an SMTP server."""

from __future__ import annotations

import logging
import smtplib
import socket
import subprocess
from collections.abc import Sequence
from email.message import EmailMessage

from mailmove.errors import LackingError, Unreachable
from mailmove.safe import visible

TIMEOUT = 60  # seconds
_LOOK = "How it is set up: [notify] of the configuration, mailmove help notify."
_SENDMAIL = ("/usr/sbin/sendmail", "-i", "-t")


def run(command: Sequence[str], text: str) -> None:
    """Give a notice to a command on its standard input.

    :raises Unreachable: when it fails.
    """
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else "it did not end"
        raise Unreachable(f"the command for notices cannot be run: {told}", _LOOK) from None
    if done.returncode:
        raise Unreachable(f"the command for notices failed (exit {done.returncode})", _LOOK)


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
        raise Unreachable(f"the notice could not be sent by mail: {visible(str(error))}", _LOOK) from None


def send(urls: Sequence[str], subject: str, text: str) -> None:
    """Send a notice to everything that Apprise's URLs name; none of them is in an error or a log.

    :raises LackingError: without apprise.
    :raises Unreachable: when one of them does not take it.
    """
    try:
        from apprise import Apprise  # an extra, and slow to load
    except ImportError:
        raise LackingError("urls of [notify] need apprise", "Install it: pip install 'mailmove[notify]'") from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    failed = []
    for number, url in enumerate(urls, 1):
        told = Apprise()
        if not told.add(url) or not told.notify(title=subject, body=text):
            failed.append(str(number))
    if failed:
        raise Unreachable(f"notices could not be sent by urls {', '.join(failed)} of {len(urls)}", _LOOK)
