"""How one runtime of a partner stands at a broker: suspended when its machine is lost, and resumed.

    stands = set_runtime(home, None, "clinic", "run-...", "a laptop was stolen")

The broker alone knows of it: a home hands keys by file to every runtime of an approved partner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.errors import ObjectNotFound, UsageError

if TYPE_CHECKING:
    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.protocol.broker import RuntimeAnswer


def set_runtime(
    home: Home, owner: str | None, partner: str, runtime: str, reason: str | None
) -> RuntimeAnswer:
    """Suspend a runtime for a reason, or resume it without one; returns how it stands.

    Args:
        home: Of a person of the owner.
        owner: Whose broker, where the home knows several.
        partner: Name of the partner, so that nobody stops the wrong clinic.
        runtime: Its id, or the beginning of it.
        reason: Why; None: it is resumed.

    Raises:
        ObjectNotFound: the partner has no such runtime (code ``unknown-runtime``).
        UsageError: several begin so (code ``ambiguous-runtime``), or there is no broker.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: it refuses.
    """
    from strongroom.cli._broker import answering, demand_line
    from strongroom.protocol.broker import ReasonAsk

    line = demand_line(home, owner)
    with answering(line):
        identity = find_runtime(line, partner, runtime)
        if reason is None:
            answer = line.client.resume_runtime(identity)
        else:
            answer = line.client.suspend_runtime(identity, ReasonAsk(reason=reason))
    (stands,) = (each for each in answer.runtimes if each.runtime == identity)
    return stands


def find_runtime(line: Line, partner: str, runtime: str) -> str:
    """Return the id of the runtime of a partner that begins so.

    Raises:
        ObjectNotFound: the partner has none (code ``unknown-runtime``).
        UsageError: several begin so (code ``ambiguous-runtime``).
        BrokerUnavailable: the broker does not answer.
    """
    from strongroom.cli._broker import pages

    client = line.client
    of_partner: list[str] = [
        each.runtime
        for answer in pages(lambda after: client.partners(after=after), "partners")
        if answer.name == partner
        for each in answer.runtimes
    ]
    found = [each for each in of_partner if each.startswith(runtime)]
    if not found:
        raise ObjectNotFound(
            f"{partner} has no runtime {runtime} at the broker",
            code="unknown-runtime",
            hint="strongroom partner list --json has the ids",
        )
    if len(found) > 1:
        raise UsageError(
            f"several runtimes of {partner} begin with {runtime}",
            code="ambiguous-runtime",
            hint="give more of the id: strongroom partner list --json",
        )
    return found[0]
