"""``mailmove help``: a command's help, a topic, which is a Markdown file of ``mailmove/docs``, or both."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def help(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND|TOPIC]", help="Such as export, account add, or exit-codes; none: a list of them."
        ),
    ] = None,
) -> None:
    """Explain a command or a topic."""
    from mailmove.cli import topics

    root: Any = context.find_root()
    words = what or []
    topic = topics.read("-".join(words))
    if topic is not None and words[0] not in root.command.list_commands(root):
        _show(topic)
        return
    found = _found(root, words)
    print(found.get_help())
    if topic is not None:
        print()
        _show(topic)
    if found is root:
        print("\nTopics:")
        width = max(map(len, topics.titles()), default=0)
        for name, title in topics.titles().items():
            print(f"  {name:{width}}  {title}")


def _show(topic: str) -> None:
    from mailmove.report.topic import lines

    for line in lines(topic):
        print(line)


def _found(context: Any, words: list[str]) -> Any:
    """The context of the command of this name.

    :raises UsageError: when there is none.
    """
    from mailmove.errors import UsageError
    from mailmove.safe import visible

    for word in words:
        group = context.command
        command = group.get_command(context, word) if hasattr(group, "commands") else None
        if command is None:
            raise UsageError(f"there is no command and no topic {visible(' '.join(words))}", "For all: mailmove help")
        context = typer.Context(command, info_name=word, parent=context, **command.context_settings)
    return context
