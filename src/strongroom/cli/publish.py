"""``strongroom publish``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared


def publish(
    model: Annotated[str, Parameter(help="NAME or NAME@VERSION, as it was sealed (else the newest).")],
    /,
    *,
    shared: Shared = SHARED,
) -> None:
    """Let your broker release the key of a sealed model to licensed partners.

    The package itself stays here; the broker never sees it. The key goes wrapped to the broker's intake key,
    which a key of your owner document vouches for, and rests there under the key-encryption key.

    Examples:
        $ strongroom publish risk
        $ strongroom publish risk@1.2.0

    Raises:
        ObjectNotFound: it was not sealed here, or its file is gone.
        UsageError: this home owns no models, or has no broker.
        VerificationError: the broker's intake key is not vouched for.
        NoMatchingKey: a key is missing, or the home's pass-phrase is missing or wrong.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not publish, or it is not as it should be.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import publishing
    from strongroom.cli._broker import answering, demand_own_line, hand_in
    from strongroom.keys.intake import verify_intake_certificate

    home = shared.open_home()
    line = demand_own_line(home)
    with answering(line):
        token = line.client.owner().intake
    intake = verify_intake_certificate(token, line.owner.owner, shared.now)
    published = publishing.publish(home, model, intake, now=shared.now)
    hand_in(home, line, [published.package], what=f"{published.name} {published.version}")
    document = {
        "name": published.name,
        "version": published.version,
        "package": published.package,
        "path": str(published.path),
    }
    shared.terminal.result(document, f"{published.name} {published.version} is published")
    if not shared.json:
        shared.terminal.note(f"Grant it: strongroom grant PARTNER {published.name}")
        shared.terminal.note(f"Partners need the package once, sent on any way: {published.path}")


app = page(publish, "publish")
