"""The ``mailmove`` command."""

import gc

_NEW_OBJECTS = 50_000  # what is loaded and the listings of a mailbox are no garbage: looking through them costs a tenth


def main() -> None:
    """Run the command line."""
    gc.set_threshold(_NEW_OBJECTS, 20, 50)
    from mailmove import cli

    cli.run_program()


if __name__ == "__main__":
    main()
