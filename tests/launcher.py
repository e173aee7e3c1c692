"""Processes of the program that begin with everything loaded: each run is forked from one that has imported it.

Loading takes longer than most of what the tests ask for. What is forked is a process of its own all the same: with its
own descriptors, directory, environment and exit code, and nothing of the runs before. What depends on how Python itself
starts - its options, warnings, path, locale - is as :attr:`Launcher.base` has it; all other runs are started anew.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

RUN_TIME = ("HOME", "PATH", "TZ")
"""What a program reads while it runs, beside the variables of its own; Python reads the others when it starts."""

_MOST = 1 << 20


def _lasting(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that is read when Python starts, or may be."""
    return {
        name: value for name, value in environment.items() if name not in RUN_TIME and not name.startswith("MAILMOVE_")
    }


class Launcher:
    """A process that waits, with the program loaded, and becomes it as often as it is asked to."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.base = _lasting(environment)
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.launcher", str(theirs.fileno())],
                env={name: value for name, value in environment.items() if not name.startswith("MAILMOVE_")},
                cwd=Path(__file__).parent.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether a run in this environment may be forked."""
        return _lasting(environment) == self.base and self._process.poll() is None

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], directory: Path, stdin: str, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run the program to its end; text as :func:`subprocess.run` has it.

        :raises subprocess.TimeoutExpired: when it takes longer; it is killed then.
        """
        umask = os.umask(0o077)
        os.umask(umask)
        asked = {"arguments": arguments, "environment": environment, "directory": str(directory), "umask": umask}
        (get, out), (err_get, err), (put_from, put) = os.pipe(), os.pipe(), os.pipe()
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._ours, [json.dumps(asked).encode()], [put_from, out, err, theirs.fileno()])
        finally:
            for fd in (put_from, out, err):
                os.close(fd)
            theirs.close()
        with ours, open(get, "rb") as told, open(err_get, "rb") as complained, ThreadPoolExecutor(3) as pool:
            answers = ours.makefile("r")
            pid = int(answers.readline())
            texts = pool.submit(told.read), pool.submit(complained.read)
            pool.submit(_fill, open(put, "wb"), stdin.encode())
            ours.settimeout(timeout)
            try:
                code = int(answers.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(arguments), timeout) from None
            said = [text.result().decode().replace("\r\n", "\n").replace("\r", "\n") for text in texts]
        return subprocess.CompletedProcess(list(arguments), code, *said)


def _fill(pipe: BinaryIO, octets: bytes) -> None:
    try:
        with pipe:
            pipe.write(octets)
    except BrokenPipeError:
        pass  # it does not read what it is told


def _serve(control: socket.socket) -> None:
    """Fork for each request; returns in what was forked, to become the program."""
    waiting: dict[int, socket.socket] = {}
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(_MOST)
            for pid in list(waiting):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    with waiting.pop(pid) as answer:
                        answer.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        if control not in ready:
            continue
        text, fds, _, _ = socket.recv_fds(control, _MOST, 4)
        if not text:
            sys.exit()
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, fd in enumerate(fds[:3]):
                os.dup2(fd, number)
            for one in (control, woken, wake, *waiting.values()):
                one.detach()
            os.closerange(3, 4096)
            _become(json.loads(text))
            return
        for fd in fds[:3]:
            os.close(fd)
        waiting[pid] = socket.socket(fileno=fds[3])
        waiting[pid].sendall(b"%d\n" % pid)


def _become(asked: dict[str, object]) -> None:
    environment, arguments = asked["environment"], asked["arguments"]
    assert isinstance(environment, dict) and isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(str(asked["directory"]))
    os.umask(int(str(asked["umask"])))
    sys.argv = [str(Path(sys.modules["mailmove"].__path__[0], "__main__.py")), *arguments]


def _load() -> None:
    import mailmove

    for module in pkgutil.walk_packages(mailmove.__path__, "mailmove."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _load()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from mailmove.__main__ import main

    main()
