"""A dead man's switch as healthchecks.io takes it: start, success and failure of one run, by requests to a URL."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

from mailmove.errors import Unreachable

TIMEOUT = 10  # seconds
_LOOK = "Its URL is the ping of [notify] in the configuration."


class Signal(StrEnum):
    """What happened to the run; the value is what follows the URL's path."""

    START = "/start"
    SUCCESS = ""
    FAIL = "/fail"


def ping(url: str, signal: Signal, run: str, counts: str = "") -> None:
    """Tell the switch; ``run`` is the same UUID in all signals of a run, ``counts`` has no names in it.

    :raises Unreachable: when it does not take it; the URL is not in the words.
    """
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, f"rid={run}")))
    address = urlunsplit(parts._replace(path=parts.path.rstrip("/") + signal.value, query=query))
    try:
        request = urllib.request.Request(address, data=counts.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        error.close()
        raise Unreachable(f"the ping was refused: HTTP status {error.code}", _LOOK) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        told = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
        raise Unreachable(f"the ping failed: {told}", _LOOK) from None
