"""``strongroom init``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from collections.abc import Callable


def init(
    name: Annotated[str, Parameter(help="What the organization is called: a-z, 0-9, '.', '_' and '-'.")],
    /,
    *,
    partner_only: Annotated[
        bool, Parameter(help="It will only use models of others; no owner keys are made.")
    ] = False,
    encrypt: Annotated[bool, Parameter(help="Put its keys under a pass-phrase, asked on every use.")] = False,
    shared: Shared = SHARED,
) -> None:
    """Make a home: the directory of one organization, with its keys.

    Without --home it is made where every other command looks for it. An interrupted call can be repeated.

    Examples:
        $ strongroom init hospital
        $ strongroom init clinic --partner-only --home /srv/clinic
        $ strongroom init hospital --encrypt --passphrase-file passphrase.txt

    Raises:
        UsageError: a bad name, a home is there already, or the pass-phrase is too weak.
        StorageUnavailable: the home cannot be written.
    """
    from strongroom.founding import found

    choose = _choose_passphrase(shared, name) if encrypt else None
    home = found(name, shared.home, now=shared.now, owner=not partner_only, passphrase=choose)
    owner_id = home.vault.owner_id
    document = {"name": name, "home": str(home.path), "owner": owner_id, "encrypted": encrypt}
    shared.terminal.result(document, str(home.path))
    if not shared.json:
        shared.terminal.note(f"Made the home of {name}. Its keys are there and nowhere else: keep a copy.")
        if not encrypt:
            shared.terminal.note(
                "The keys are protected by file permissions only; --encrypt adds a pass-phrase."
            )


def _choose_passphrase(shared: Shared, name: str) -> Callable[[], str]:
    from strongroom.cli._secret import HOME, choose_passphrase
    from strongroom.keys.strength import verify_passphrase

    chosen = choose_passphrase(shared.terminal, HOME, file=shared.passphrase_file)
    verify_passphrase(chosen, context_words=[name, "strongroom"])
    return lambda: chosen


app = page(init, "init")
