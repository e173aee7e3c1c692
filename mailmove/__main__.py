"""The ``mailmove`` command."""

import gc

_LOADING = 50_000  # new objects; there is no garbage yet, and looking for it costs a tenth of a second


def main() -> None:
    """Run the command line."""
    gc.set_threshold(_LOADING)
    from mailmove import cli

    cli.run_program()


if __name__ == "__main__":
    main()
