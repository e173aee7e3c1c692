"""Bash, zsh and fish: the script that makes each complete mailmove's command line, and where it is installed."""

from __future__ import annotations

import os
import shlex

from mailmove.errors import UsageError
from mailmove.safe import visible

_SCRIPTS = {
    "bash": """\
_mailmove_complete() {
    local IFS=$'\\n'
    COMPREPLY=($(_MAILMOVE_COMPLETE=bash _MAILMOVE_LINE="${COMP_LINE:0:COMP_POINT}" "$1" 2>/dev/null))
}
complete -o default -F _mailmove_complete mailmove
""",
    "zsh": """\
#compdef mailmove
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_mailmove() {
    local -a found
    found=("${(@f)$(_MAILMOVE_COMPLETE=zsh _MAILMOVE_LINE="${(j: :)words[1,CURRENT]}" "${words[1]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then _describe -V mailmove found; else _files; fi
}
if [[ "${funcstack[1]}" == _mailmove ]]; then _mailmove "$@"; else compdef _mailmove mailmove; fi
""",
    "fish": """\
function __mailmove_complete
    set -l line (commandline -cp)
    set -l found (_MAILMOVE_COMPLETE=fish _MAILMOVE_LINE="$line" mailmove 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c mailmove -f -a '(__mailmove_complete)'
""",
}


def script() -> str:
    """The script for the shell that this runs in."""
    return _SCRIPTS[_shell()]


def install() -> str:
    """Install it for this user; again it changes nothing more. Returns what was done, to be told.

    :raises UsageError: when this is none of the three shells, or a file cannot be written.
    """
    shell = _shell()
    home = os.path.expanduser("~")
    if shell == "fish":
        directory = os.path.join(os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config", "fish", "completions")
        path, start = os.path.join(directory, "mailmove.fish"), None
    else:
        directory = os.path.join(os.environ.get("XDG_DATA_HOME") or f"{home}/.local/share", "mailmove")
        path = os.path.join(directory, f"completion.{shell}")
        start = f"{home}/.bashrc" if shell == "bash" else os.path.join(os.environ.get("ZDOTDIR") or home, ".zshrc")
    try:
        os.makedirs(directory, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(_SCRIPTS[shell])
        if start is not None:
            _add(f"source {shlex.quote(path)}", start)
    except OSError as error:
        raise UsageError(
            f"{visible(str(error.filename))}: {error.strerror}", "To install it by hand: mailmove --show-completion"
        ) from error
    also = f", which {visible(start)} reads" if start else ""
    return f"Completion for {shell} is in {visible(path)}{also}. It works in the next shell that is started."


def _add(line: str, path: str) -> None:
    """Let a file end with a line, unless it has it."""
    with open(path, "a+", encoding="utf-8", errors="surrogateescape") as file:
        file.seek(0)
        text = file.read()
        if line not in text.splitlines():
            file.write(("" if text.endswith("\n") or not text else "\n") + line + "\n")


def _shell() -> str:
    """The shell that this runs in, else the login shell.

    :raises UsageError: when it is none that is known here.
    """
    import shellingham

    try:
        name = str(shellingham.detect_shell()[0])
    except shellingham.ShellDetectionFailure:
        name = os.path.basename(os.environ.get("SHELL", ""))
    if name not in _SCRIPTS:
        raise UsageError(
            f"completion is for {', '.join(_SCRIPTS)}, and this is {visible(name) or 'no shell'}",
            "Run it in one of them.",
        )
    return name
