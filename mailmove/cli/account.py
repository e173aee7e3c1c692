"""``mailmove account``: how accounts come to be, which there are, and whether they work."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from mailmove.cli import options
from mailmove.cli.groups import Group
from mailmove.errors import Exit, LoginError, RefusedError, UsageError
from mailmove.safe import few, visible

if TYPE_CHECKING:
    from mailmove.accounts.config import Account
    from mailmove.jobs.login_test import LoginTest

app = typer.Typer(cls=Group, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
@options.takes(*options.OUTPUT)
def account(given: options.Given) -> None:
    """Add, list, test and remove accounts."""


@app.command("add")
@options.takes("json", "verbose")
def add_account(
    given: options.Given,
    address: Annotated[str | None, typer.Argument(metavar="[ADDRESS]", help="The e-mail address.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Call the account this; else by its address.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="The IMAP server; else it is looked for.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, metavar="N", help="Its port.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="USER", help="The login, where it is not the address.")
    ] = None,
    tls: options.Tls = None,
    ca_file: options.CaFile = None,
    autoconfig: Annotated[
        str | None,
        typer.Option(
            "--autoconfig", metavar="URL", help="Take the settings from here; {domain} and {address} are filled in."
        ),
    ] = None,
    archive: options.ArchiveDir = None,
    oauth: Annotated[
        str | None, typer.Option("--oauth", metavar="ISSUER", help="Sign in with google or microsoft; or no.")
    ] = None,
    password_command: Annotated[
        str | None, typer.Option("--password-command", metavar="COMMAND", help="A program that tells the password.")
    ] = None,
    token_command: Annotated[
        str | None, typer.Option("--token-command", metavar="COMMAND", help="A program that tells an access token.")
    ] = None,
    secret_file: Annotated[
        str | None, typer.Option("--secret-file", metavar="FILE", help="Keep the secret here, not in the keyring.")
    ] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Accept a server that a secure source names.")] = False,
) -> None:
    """Add an account: find its server, log in, write it down.

    The account goes into the configuration, its password or sign-in into the keyring. The password is asked for, or
    taken from MAILMOVE_PASSWORD; never from the command line.
    """
    from mailmove.cli import adding, terminal
    from mailmove.report import words

    setup = replace(given, tls=tls, ca_file=ca_file, archive=archive).setup(new=True)
    wanted = adding.Wanted(
        name=name,
        host=host,
        port=port,
        user=user,
        tls=tls,
        ca_file=ca_file,
        autoconfig=autoconfig,
        archive=archive,
        oauth=oauth,
        password_command=password_command,
        token_command=token_command,
        secret_file=secret_file,
        yes=yes,
    )
    added = adding.add(setup, address, wanted)
    if terminal.attended() and not (yes or setup.json):
        adding.lay_down(setup, added.login.account)
    _tell("account add", setup, added.login, f"The account is in {words.path(added.config)}, its secret {added.kept}.")


@app.command("list")
@options.takes(*options.OUTPUT)
def list_accounts(
    given: options.Given,
    accounts: options.Accounts = None,
) -> None:
    """List accounts, their archives and last exports.

    Several come in one table; name one to see all of it. No server is asked.
    """
    from mailmove.cli.looking import look
    from mailmove.cli.running import present
    from mailmove.report import overview as report

    setup = given.setup()
    outcomes = look(setup, setup.select(accounts))
    raise typer.Exit(present("account list", setup, outcomes, report, together=None if accounts else report.together))


@app.command("test")
@options.takes("jobs", *options.CONNECTION, *options.OUTPUT)
def test_accounts(
    given: options.Given,
    accounts: options.Accounts = None,
    unattended: Annotated[
        bool,
        typer.Option("--unattended", help="Test as cron will run it, and print the line for the crontab."),
    ] = False,
) -> None:
    """Log in and show server, folders, quota and what the server can. Changes nothing."""
    from mailmove.cli.running import present, run
    from mailmove.cli.work import Work
    from mailmove.jobs.login_test import login_test
    from mailmove.jobs.progress import Progress
    from mailmove.report import login_test as report

    if unattended:
        from mailmove.cli import unattended as cron

        raise typer.Exit(cron.test(accounts or (), given))
    setup = given.setup()

    def start(work: Work) -> Generator[Progress, None, LoginTest]:
        with work.session() as session:
            return (yield from login_test(work.name, session))

    raise typer.Exit(present("account test", setup, run(setup, setup.select(accounts), start), report))


@app.command("password")
@options.takes("json", "verbose")
def change_password(
    given: options.Given,
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The account.", autocompletion=options.account_names)
    ],
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Change it for all accounts that share its file.")] = False,
) -> None:
    """Give an account a new password, or sign in again.

    It is tried, then kept where the old one was.
    """
    from mailmove.accounts import configedit
    from mailmove.cli import secrets, signing_in, terminal

    setup = given.setup()
    chosen = setup.config.find(account)
    for key in ("password_command", "token_command"):
        if getattr(chosen, key):
            raise UsageError(f"{visible(chosen.name)} has a {key}, which tells its secret", "Change it there.")
    others = secrets.sharing(setup.config, chosen, chosen.secret_file)
    if others and not yes:
        told = secrets.warned(str(chosen.secret_file), others)
        if not (terminal.attended() and terminal.confirm(f"{told}. Change it for all?")):
            raise RefusedError(
                f"{told}: nothing was changed",
                "For all of them: --yes; or give this account a secret_file of its own in the configuration.",
            )
    login, secret = signing_in.obtain(chosen)
    kept = signing_in.keep(chosen, secret, setup, anew=True)
    if kept.file:
        configedit.change(setup.config.path, chosen.name, {"secret_file": kept.file})
    _tell("account password", setup, login, f"Its secret is {kept.place}.")


@app.command("show")
@options.takes("json")
def show_account(
    given: options.Given,
    account: Annotated[
        str | None,
        typer.Argument(
            metavar="[ACCOUNT]", help="The account; none: the only one.", autocompletion=options.account_names
        ),
    ] = None,
) -> None:
    """Show an account's settings and what its provider wants.

    No server is asked, no secret shown.
    """
    from mailmove.cli import terminal
    from mailmove.report import account as report
    from mailmove.report.json import document

    setup = given.setup()
    account = account or _only(setup)
    (place,) = setup.select([account])
    chosen = setup.config.find(account)
    if setup.json:
        print(document("account show", Exit.DONE, account=report.as_json(chosen)))
    else:
        terminal.tell(report.text(chosen, setup.again(place)))


@app.command("remove")
@options.takes("json")
def remove_account(
    given: options.Given,
    account: Annotated[
        str | None,
        typer.Argument(
            metavar="[ACCOUNT]", help="The account; none: the only one.", autocompletion=options.account_names
        ),
    ] = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Erase its archive too, and all that is remembered of it here.")
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Remove an account and its secret; its archive stays.

    Unless it is to be erased: then mail that is in no other place is lost. Nothing changes on the server.
    """
    from mailmove.accounts import configedit, vault
    from mailmove.archive.state import standing
    from mailmove.cli import secrets, terminal
    from mailmove.report import words
    from mailmove.report.json import document

    setup = given.setup()
    chosen = setup.config.find(account or _only(setup))
    shown = visible(chosen.name)
    fate, secret = secrets.fate(setup.config, chosen, setup.memory)
    where = words.path(chosen.archive)
    if erase and not yes:
        terminal.say(f"{secret} The archive in {where} is erased for ever, with all mail in it.")
    if not yes and not (
        terminal.attended()
        and (
            terminal.ask("Type the name of the account to erase all of it") == chosen.name
            if erase
            else terminal.confirm(f"{secret}\nRemove {shown} from {words.path(setup.config.path)}?")
        )
    ):
        raise RefusedError(f"{shown} was not removed", "To remove it without a question: --yes")
    left = _erase(setup, chosen) if erase else []
    configedit.remove(setup.config.path, chosen.name)
    if fate is secrets.Fate.GOES:
        try:
            vault.of(chosen).forget()
            secret = "Its secret is gone, too."
        except LoginError as error:
            secret = f"Its secret is still there: {error.what}."
    if not erase:
        standing.change(setup.memory, chosen.endpoint.login, lambda noted: replace(noted, config=None))
    if setup.json:
        told = {"account": chosen.name, "archive": chosen.archive, "secret": secret, "erased": erase, "left": left}
        print(document("account remove", Exit.DONE, **told))
    else:
        stays = f" Its archive stays in {where}." if os.path.isdir(chosen.archive) else ""
        if erase:
            stays = " Its archive is erased."
        if left:
            stays += f" Left in {where}, not of mailmove: {', '.join(few(left))}."
        terminal.tell([f"{shown} is removed. {secret}{stays}"])


def _erase(setup: options.Setup, account: Account) -> list[str]:
    from mailmove.jobs.erase import whole

    path = os.path.abspath(os.path.expanduser(account.archive))
    return whole(setup.memory, account.endpoint.login, path)


@app.command("rebind")
@options.takes("ca_file", "json", "verbose")
def rebind_account(
    given: options.Given,
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The account.", autocompletion=options.account_names)
    ],
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="What the server is called now.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, metavar="N", help="Its port now.")] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="What the login is called now.")] = None,
    archive: Annotated[
        str | None, typer.Option("--archive", metavar="DIR", help="A copy that is to be the archive from now on.")
    ] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask once it is proven.")] = False,
) -> None:
    """Let an archive follow its mailbox to another host.

    Only once both prove to be the same, as when the provider renamed its server or the login. Compared are every
    folder's UIDVALIDITY, the UID, size and arrival of every message, and the octets of samples.
    Nothing changes on the server.

    With --archive the account gets a copy of its archive as its archive, where that is lost: no server is asked.
    """
    from mailmove.cli import rebinding

    setup = given.setup()
    if archive is not None:
        if any((host, port, user)):
            raise UsageError("--archive excludes --host, --port and --user", "Promote the copy first, then rebind it.")
        raise typer.Exit(rebinding.promote(setup, account, archive))
    raise typer.Exit(rebinding.rebind(setup, account, host=host, port=port, user=user, yes=yes))


def _only(setup: options.Setup) -> str:
    """The name of the only account.

    :raises UsageError: when there is none, or more than one.
    """
    names = [account.name for account in setup.config.accounts]
    if not names:
        raise UsageError(f"there is no account yet in {visible(setup.config.path)}", options.NO_ACCOUNT)
    if len(names) > 1:
        raise UsageError(f"there are several accounts: {', '.join(few(names))}", "Name the one that is meant.")
    return names[0]


def _tell(command: str, setup: options.Setup, login: LoginTest, where: str) -> None:
    """What a new or renewed login found, where things are, and the next step."""
    from mailmove.cli import terminal
    from mailmove.report import login_test as report
    from mailmove.report.again import Again
    from mailmove.report.json import document

    if setup.json:
        print(document(command, login.exit, login=report.as_json(login)))
        return
    named = Again(login.account, tuple(options.meaning(config=setup.config_file)))
    terminal.tell([*report.mailbox(login), where, f"Next: {named.command('audit')}"])
