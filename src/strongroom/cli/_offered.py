"""What an owner's broker offers this party: licenses that it holds there, accepted or not.

answer = find_offered(home, lines, "hospital/risk")
for line, answer in offered(home, lines): ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from strongroom.errors import ObjectNotFound

if TYPE_CHECKING:
    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.protocol.broker import LicenseAnswer

_IDS: Final = ("lic-", "sub-")
_OPEN: Final = "granted"


def offered(home: Home, line: Line) -> Iterator[LicenseAnswer]:
    """Yield the licenses that this very organization holds at a broker.

    Raises:
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: it refuses, as while this party is not approved yet.
        NoMatchingKey: the organization key is missing, or the pass-phrase is missing or wrong.
    """
    from strongroom.cli._broker import pages
    from strongroom.keys.identity import organization_id

    own = organization_id(home.keys.organization().public)
    client = line.client
    for answer in pages(lambda after: client.licenses(after=after), "licenses"):
        # A holder sees what hangs from its licenses too; that is for its sites to accept.
        if answer.organization == own:
            yield answer


def models_of(answer: LicenseAnswer) -> list[str]:
    """Return the names of the models that a license speaks of; unverified, for finding it.

    Raises:
        FormatError: the broker's answer holds no license.
    """
    from strongroom.license.documents import License
    from strongroom.license.license_file import LicenseFile
    from strongroom.license.signing import read_unverified
    from strongroom.license.terms import Packages

    terms = read_unverified(LicenseFile.from_bytes(answer.file.encode("utf-8")).license, License).terms
    choices = [choice for term in terms if isinstance(term, Packages) for choice in term.packages]
    return [choice.name for choice in choices if choice.name is not None]


def find_offered(home: Home, lines: Sequence[Line], word: str) -> LicenseAnswer:
    """Return the license that a word means: an id, or ``[owner/]name`` of a model.

    One that is not accepted yet goes before those that are.

    Raises:
        ObjectNotFound: there is none (code ``unknown-license``), or several fit (code
            ``ambiguous-license``; the message lists them).
        BrokerUnavailable: a broker does not answer.
        BrokerRefused: a broker refuses.
    """
    from strongroom.cli._broker import answering

    owner, _, name = word.partition("@")[0].rpartition("/")
    found = []
    for line in lines:
        if owner and owner not in (line.owner.label, line.owner.id):
            continue
        with answering(line):
            if word.startswith(_IDS):
                found += [each for each in offered(home, line) if each.license == word]
            else:
                found += [
                    each for each in offered(home, line) if each.status == _OPEN and name in models_of(each)
                ]
    waiting = [each for each in found if each.accepted_at is None] or found
    if len(waiting) == 1:
        return waiting[0]
    if not waiting:
        raise ObjectNotFound(
            f"there is no file {word}, and no broker has a license {word} for this party",
            code="unknown-license",
            hint="strongroom models lists what is offered; the owner grants it: strongroom grant",
        )
    raise ObjectNotFound(
        f"several licenses fit {word}: {', '.join(each.license for each in waiting)}",
        code="ambiguous-license",
        hint="strongroom accept with one of these ids",
    )
