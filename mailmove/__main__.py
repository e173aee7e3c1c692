"""The ``mailmove`` command."""


def main() -> None:
    """Run the command line."""
    from mailmove.cli import run

    run()


if __name__ == "__main__":
    main()
