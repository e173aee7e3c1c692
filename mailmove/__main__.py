"""The ``mailmove`` command."""


def main() -> None:
    """Run the command line."""
    from mailmove import cli

    cli.run_program()


if __name__ == "__main__":
    main()
