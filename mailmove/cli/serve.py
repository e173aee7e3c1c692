"""``mailmove serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from mailmove.cli import options


@options.takes("archive", *options.OUTPUT)
def serve(
    given: options.Given,
    archives: options.Archives = None,
    imap: Annotated[
        int | None,
        typer.Option("--imap", min=0, max=65535, metavar="PORT", help="Serve IMAP here; 0: any free port."),
    ] = None,
    pop3: Annotated[
        int | None,
        typer.Option("--pop3", min=0, max=65535, metavar="PORT", help="Serve POP3 here; 0: any free port."),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Serve on this address, to other machines only over TLS.")
    ] = "127.0.0.1",
    tls_cert: Annotated[
        str | None, typer.Option("--tls-cert", metavar="FILE", help="The certificate, as PEM; else one is made.")
    ] = None,
    tls_key: Annotated[str | None, typer.Option("--tls-key", metavar="FILE", help="Its key, as PEM.")] = None,
    separator: Annotated[
        str, typer.Option("--separator", metavar="TEXT", help="Between account and folder in a POP3 user name.")
    ] = "+",
    show_login: Annotated[
        bool, typer.Option("--show-login", help="Show the passwords, and what to type into which mail program.")
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Serve to other machines without being asked.")] = False,
) -> None:
    """Serve archives to mail programs by IMAP and POP3, read-only.

    Each archive is an account of its own, with a password of its own. Only this machine is served, unless --host says
    otherwise. It runs until Ctrl-C and needs no lock: what an export adds meanwhile appears.
    """
    from mailmove.cli.serving import Wanted, carry_out

    wanted = Wanted(
        archives=archives,
        imap=imap,
        pop3=pop3,
        host=host,
        tls_cert=tls_cert,
        tls_key=tls_key,
        separator=separator,
        show_login=show_login,
        yes=yes,
    )
    raise typer.Exit(carry_out(given.setup(), wanted))
