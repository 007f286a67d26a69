"""``strongroom grant``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._broker import own_line
from strongroom.cli._handover import hand_in_licenses, verify_published, write_for_broker
from strongroom.cli._page import page
from strongroom.cli._requests import filled_in, find_request, settle
from strongroom.cli._shared import SHARED, Shared
from strongroom.cli._terms import NO_TERMS, TermOptions
from strongroom.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from strongroom.granting import Granted
    from strongroom.home import Home
    from strongroom.protocol.broker import LicenseRequestAnswer


def grant(
    *partners_and_model: Annotated[
        str,
        Parameter(help="Partners, by name or .enrollment file, and then the model, NAME or NAME@VERSION."),
    ],
    output: Annotated[
        Path | None, Parameter(alias="-o", help="Write only the license, for one partner, to this file or -.")
    ] = None,
    into: Annotated[
        Path | None, Parameter(help="Where the folders go (else here; with a broker: no folders).")
    ] = None,
    by_file: Annotated[
        bool, Parameter(help="Past the broker: with a key file for each installation, as without one.")
    ] = False,
    agreement: Annotated[
        Path | None, Parameter(help="The text that the partner accepts (else the one of the package).")
    ] = None,
    fingerprint: Annotated[
        str | None, Parameter(help="What a new partner read out on the telephone (else compared here).")
    ] = None,
    with_passphrase: Annotated[
        bool, Parameter(help="Make it open with a pass-phrase, for whoever knows it; nothing can be counted.")
    ] = False,
    license_passphrase_file: Annotated[
        Path | None, Parameter(help="A file with that pass-phrase, or - (else asked).")
    ] = None,
    under: Annotated[
        Path | None,
        Parameter(help="A license that a partner narrowed for this site: add only the site's key."),
    ] = None,
    request: Annotated[
        str | None,
        Parameter(help="A partner's request, ask-...: partner, model and terms come from it, or as typed."),
    ] = None,
    terms: TermOptions = NO_TERMS,
    shared: Shared = SHARED,
) -> None:
    """Give partners a license to use a model.

    With a broker, the license is signed here, kept here, and handed to the broker, which counts and releases
    keys; the partner fetches it with `strongroom accept MODEL`. Without one, each partner gets a folder,
    ready to send: the license, the package, and a letter that says what to do. With -o only the license is
    written. What is not said is filled in: a year, predictions, this version.

    Examples:
        $ strongroom grant bank-a fraud --until 2027-06-30 --predictions 1M/month --runtimes 3 --grace 72h
        $ strongroom grant north south west risk
        $ strongroom grant clinic.enrollment risk -o clinic.license
        $ strongroom grant clinic risk --agreement agreement.txt --answers rounded:2
        $ strongroom grant clinic risk --grace 72h --break-glass 12h:3 --offline 90d
        $ strongroom grant --request ask-uvaxoz2qpfs5 --predictions 500k/month
        $ strongroom grant site.enrollment risk --under site.license -o key.license

    Raises:
        UsageError: no partner or no model, or an option that cannot be read.
        ObjectNotFound: no such partner or model.
        VerificationError: a partner is not confirmed, or is suspended.
        LicenseDenied: the terms leave nothing for a key file.
        BrokerUnavailable: the broker does not answer; what was signed waits here.
        BrokerRefused: the broker does not take it.
        StorageUnavailable: a file cannot be read or written.
    """
    asked = None
    if request is not None:
        _verify_fits_request(partners_and_model, output, into, under, by_file or with_passphrase)
        asked = find_request(shared.open_home(), request)
        partners_and_model = (asked.partner, *(partners_and_model or (asked.model,)))
        terms = filled_in(terms, asked)
        _tell_asked(shared, asked)
    *partners, model = _split(partners_and_model, for_one=output is not None or fingerprint is not None)
    if under is not None:
        _release_for_site(shared, partners[0], model, under, fingerprint, output)
        return
    terms.warn(shared)
    text = _text(shared, agreement)
    wish = _Wish(shared, model, terms, text, _passphrase(shared, with_passphrase, license_passphrase_file))
    granted = _grant(wish, partners, fingerprint, output, into, by_file=by_file)
    if asked is not None:
        _settle(shared, asked, granted[0])


def _verify_fits_request(
    words: Sequence[str], output: Path | None, into: Path | None, under: Path | None, by_file: bool
) -> None:
    # The answer to a request is at the broker, where the request is.
    if len(words) > 1 or by_file or any(each is not None for each in (output, into, under)):
        raise UsageError(
            "with --request, name nothing but the model, and write no files",
            code="usage",
            hint="the partner is the one that asked: strongroom grant --request ask-... [MODEL]",
        )


def _tell_asked(shared: Shared, asked: LicenseRequestAnswer) -> None:
    wanted = [asked.predictions, None if asked.until is None else f"until {asked.until}"]
    terms = ", ".join(each for each in wanted if each is not None) or "no terms"
    shared.terminal.note(f"{asked.partner} asks for {asked.model} ({terms}): {asked.purpose}")


def _settle(shared: Shared, asked: LicenseRequestAnswer, granted: Granted) -> None:
    settled = settle(shared.open_home(), asked, granted.license_id)
    shared.terminal.note(f"It answers {settled.request}, which is {settled.status}.")


def _grant(
    wish: _Wish,
    partners: Sequence[str],
    fingerprint: str | None,
    output: Path | None,
    into: Path | None,
    *,
    by_file: bool,
) -> Sequence[Granted]:
    shared = wish.shared
    home = shared.open_home()
    names = [wish.meet(home, partner, fingerprint) for partner in partners]
    line = None if by_file or wish.passphrase is not None else own_line(home)
    if line is None and into is None:
        into = Path()
    _verify_targets(shared, names, output, into)
    if line is not None:
        verify_published(home, line, wish.model)
    granted = [wish.grant(home, name, at_broker=line is not None) for name in names]
    if line is not None:
        write_for_broker(shared, home, granted, output, into)
        hand_in_licenses(shared, home, line, granted)
    elif output is not None:
        _write_license(shared, granted[0], output)
    else:
        _write_folders(shared, home, granted, into or Path(), wish)
    return granted


def _verify_targets(shared: Shared, names: Sequence[str], output: Path | None, into: Path | None) -> None:
    # Before anything is signed: a license that could not be written would still be in the ledger.
    from strongroom.cli._file import STANDARD, agree_to_replace
    from strongroom.cli._folder import verify_vacant

    if output is None and into is not None:
        for name in names:
            verify_vacant(shared, into / name)
    elif output is not None and output != STANDARD:
        agree_to_replace(shared.terminal, output, replace=shared.yes)


def _split(words: Sequence[str], *, for_one: bool) -> Sequence[str]:
    if len(words) < 2:
        raise UsageError(
            "name one partner or more, and then the model",
            code="usage",
            hint="for example: strongroom grant clinic risk",
        )
    if for_one and len(words) > 2:
        raise UsageError(
            "--output and --fingerprint are for one partner",
            code="one-partner",
            hint="grant to each by itself",
        )
    return words


def _text(shared: Shared, agreement: Path | None) -> str | None:
    from strongroom.cli._file import read_text

    return None if agreement is None else read_text(shared.terminal, agreement)


def _passphrase(shared: Shared, wanted: bool, file: Path | None) -> Callable[[], str] | None:
    from strongroom.cli._secret import LICENSE, choose_passphrase

    if not wanted and file is None:
        return None
    chosen = choose_passphrase(shared.terminal, LICENSE, file=file)
    return lambda: chosen


@dataclass(frozen=True, slots=True)
class _Wish:
    """What every partner of this command line gets."""

    shared: Shared
    model: str
    options: TermOptions
    agreement: str | None
    passphrase: Callable[[], str] | None

    def meet(self, home: Home, partner: str, fingerprint: str | None) -> str:
        """Return the partner's name, once it is approved."""
        from strongroom.cli.partner import ensure_approved

        return ensure_approved(self.shared, home, partner, fingerprint)

    def grant(self, home: Home, partner: str, *, at_broker: bool) -> Granted:
        """Sign the license."""
        from strongroom import granting

        now = self.shared.now
        runtimes = len(home.vault.partners.get(partner).runtimes)
        terms = self.options.terms(self.model, runtimes=runtimes, now=now)
        if at_broker:
            return granting.grant_at_broker(
                home, partner, self.model, terms=terms, agreement=self.agreement, now=now
            )
        return granting.grant(
            home,
            partner,
            self.model,
            terms=terms,
            agreement=self.agreement,
            passphrase=self.passphrase,
            now=now,
        )


def _release_for_site(
    shared: Shared, site: str, model: str, under: Path, fingerprint: str | None, output: Path | None
) -> None:
    """Add the key for one runtime of a site to a license that its organization narrowed."""
    from strongroom import granting
    from strongroom.cli._file import deliver, read_input
    from strongroom.cli.partner import ensure_approved, find_enrollment

    home = shared.open_home()
    name = ensure_approved(shared, home, site, fingerprint)
    enrollment = find_enrollment(shared, home, site, fingerprint)
    data = read_input(shared.terminal, under)
    file = granting.release_for_site(home, data, enrollment, model, now=shared.now)
    deliver(shared, file, output=output, suggested=f"{name}-with-key.license", document={"partner": name})


def _write_license(shared: Shared, granted: Granted, output: Path) -> None:
    from strongroom.cli._file import deliver

    deliver(
        shared,
        granted.file,
        output=output,
        suggested=f"{granted.partner}.license",
        document=_document(granted),
        replace=True,
    )
    if not shared.json:
        _tell(shared, granted)


def _write_folders(shared: Shared, home: Home, granted: Sequence[Granted], into: Path, wish: _Wish) -> None:
    from strongroom.cli._folder import write_folder

    rows, documents = [], []
    for each in granted:
        folder = write_folder(
            shared, home, each, into / each.partner, needs_passphrase=wish.passphrase is not None
        )
        documents.append({**_document(each), "folder": str(folder)})
        rows.append((each.partner, str(folder), each.license_id))
    shared.terminal.table({"granted": documents}, ("partner", "folder", "license"), rows, empty="")
    if not shared.json:
        _tell(shared, granted[0])


def _document(granted: Granted) -> dict[str, Any]:
    from strongroom._encoding import to_instant

    return {
        "partner": granted.partner,
        "license": granted.license_id,
        "not_after": to_instant(granted.not_after),
        "runtimes": list(granted.runtimes),
    }


def _tell(shared: Shared, granted: Granted) -> None:
    from strongroom.cli._moment import shown
    from strongroom.license.describe import describe_terms

    for label, sentence in describe_terms(granted.chain.license.terms):
        shared.terminal.note(f"{label}: {sentence}")
    shared.terminal.note(
        f"Once sent it cannot be called back: in the worst case it works until {shown(granted.not_after)}."
    )


app = page(grant, "grant", usage="strongroom grant PARTNER... MODEL [OPTIONS]")
