"""Fixtures: servers that the tests start themselves, and the program with a home of its own."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.kit import Mailbox, Program
from tests.servers.dovecot import Dovecot, Unavailable
from tests.servers.model import Store
from tests.servers.pymap import Pymap
from tests.servers.scripted import Scripted
from tests.servers.web import Web

# Property tests: few and the same examples in the test command; `HYPOTHESIS_PROFILE=long pytest tests/fuzz` hunts.
# No deadlines: how long an example takes says more about the machine than about the code.
_CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _CALM, max_examples=100, derandomize=True, database=None)
settings.register_profile("long", _CALM, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

NO_DOVECOT = "no Dovecot: "
_users = itertools.count(1)


def pytest_configure() -> None:
    """What the tests start must hear Ctrl-C, also where they themselves run in the background or under nohup."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@contextmanager
def _dovecot_is_missing() -> Iterator[None]:
    """Skip what needs a Dovecot that cannot be had; in continuous integration that is a failure."""
    try:
        yield
    except Unavailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs Dovecot: {missing}")
        pytest.skip(f"{NO_DOVECOT}{missing}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Fixtures may start a Dovecot."""
    with _dovecot_is_missing():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Tests may start one themselves."""
    with _dovecot_is_missing():
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Let the last line of all say what was not tested for want of Dovecot."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    skipped = [str(report.longrepr[2]) for report in reporter.stats.get("skipped", ())]
    reasons = [why.partition(NO_DOVECOT)[2] for why in skipped if NO_DOVECOT in why]
    if reasons:
        reporter.write_line(f"{len(reasons)} tests were skipped for want of Dovecot: {reasons[0]}")


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """A Dovecot for this worker; each test uses a user name of its own."""
    server = Dovecot()
    yield server
    server.stop()


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Mailbox:
    """An empty mailbox on Dovecot."""
    return Mailbox("dovecot", dovecot.host, dovecot.imap, f"user{next(_users)}")


@pytest.fixture(params=["dovecot", "pymap"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Mailbox]:
    """An empty mailbox on each kind of server in turn: what a test of this says must hold on all."""
    yield request.getfixturevalue("mailbox" if request.param == "dovecot" else "pymap")


@pytest.fixture
def pymap() -> Iterator[Mailbox]:
    """An empty mailbox on pymap."""
    user = f"user{next(_users)}"
    server = Pymap(user)
    yield Mailbox("pymap", server.host, server.imap, user)
    server.stop()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Starts servers that misbehave as told; see :mod:`tests.servers.scripted`."""
    servers: list[Scripted] = []

    def start(script: str = "", store: Store | None = None, *, tls: str = "none") -> Scripted:
        servers.append(Scripted(script, store, tls=tls))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def mailmove(tmp_path: Path) -> Program:
    """The program, run as a user runs it, in a home directory of its own."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Program(home)


@pytest.fixture
def web() -> Iterator[Web]:
    """An https server on loopback."""
    server = Web()
    yield server
    server.stop()
