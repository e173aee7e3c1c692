"""Where text leaves the program and answers come in."""

from __future__ import annotations

import os
import sys

import pytest

from mailmove import streams
from tests.kit import Program
from tests.terminal import Terminal

ASKED = """
import signal, sys, threading
from mailmove import streams

hears = threading.Event()
threading.Thread(target=hears.wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
try:
    print(streams.ask("What? ", echo=sys.argv[1] == "seen"))
except KeyboardInterrupt:
    print("interrupted")
"""
"""The signal comes to the other thread: it is known to the process, and interrupts no read of this one."""


@pytest.mark.parametrize("echo", ["seen", "unseen"])
def test_ctrl_c_that_interrupts_no_read_ends_the_question(mailmove: Program, echo: str) -> None:
    with Terminal([sys.executable, "-c", ASKED, echo], mailmove.env) as terminal:
        terminal.expect("What? ")
        terminal.type("\x03")
        terminal.expect("interrupted")
        assert terminal.finish() == 0


def test_what_is_not_to_be_seen_is_not(mailmove: Program) -> None:
    with Terminal([sys.executable, "-c", ASKED, "unseen"], mailmove.env) as terminal:
        terminal.expect("What? ")
        terminal.type("pässword\n")
        terminal.expect("pässword")  # what the program then printed
        terminal.finish()
    assert terminal.shown.count("pässword") == 1


def test_a_pipe_that_is_full_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    outlet = streams.Outlet(writing)
    taken = 0
    while taken < 1 << 16:
        taken += outlet.write(bytes(1 << 14))
    child = os.fork()
    if not child:
        os.close(writing)
        while os.read(reading, 1 << 16):
            pass
        os._exit(0)
    assert outlet.write(b"x") == 1
    assert outlet.failure is None
    os.close(writing)
    assert os.waitpid(child, 0)[1] == 0
    os.close(reading)


def test_words_are_text_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "iso-8859-15")
    assert streams.typed(os.fsdecode("Grüße".encode("iso-8859-15"))) == "Grüße"
    assert streams.typed("Grüße") == "Grüße"
