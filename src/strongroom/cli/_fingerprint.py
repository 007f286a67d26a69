"""The comparison of fingerprints: the one question that ``--yes`` never answers.

    said = compare(terminal, "XK4T-09RM-2H7Q-VB3N-E8WD", given=None, other_side="clinic")

Whoever stands between the two sides can change every file, but not what two people read to each other on the
telephone. So a fingerprint is either given, as the other side read it out, or compared at the terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.errors import FormatError, UsageError, VerificationError

if TYPE_CHECKING:
    from strongroom.cli._terminal import Terminal


def compare(
    terminal: Terminal, fingerprint: str, *, given: str | None, other_side: str, several: str = ""
) -> str:
    """Return what the other side has, as far as the user knows: given as an option, or confirmed here.

    Raises:
        UsageError: nobody can be asked (code ``fingerprint-needed``), or what was given is no
            fingerprint (code ``fingerprint-form``).
        VerificationError: the user does not say that they are the same (code ``fingerprint-not-confirmed``).
    """
    if given is not None:
        # Imported here: it brings the cryptography along, and most commands compare nothing.
        from strongroom.keys.fingerprint import verify_fingerprint_form

        try:
            verify_fingerprint_form(given)
        except FormatError as error:
            # Typed by a person, not read from a file: a mistake of the command line.
            raise UsageError(str(error), code=error.code, hint=error.hint) from error
        return given
    if not terminal.can_ask:
        raise UsageError(
            f"the fingerprint has to be compared with {other_side} first",
            code="fingerprint-needed",
            hint=f"call {other_side} on a number that you know; give what they read out with "
            f"--fingerprint{several}",
        )
    terminal.note(f"Fingerprint: {fingerprint}")
    terminal.note(f"Call {other_side} on a number that you know and compare it, character by character.")
    answer = terminal.ask("Is it the same on the other side? Type yes: ", instead="--fingerprint")
    if answer.lower() != "yes":
        raise VerificationError(
            "the fingerprint is not confirmed",
            code="fingerprint-not-confirmed",
            hint="if the two sides differ, do not go on: somebody may stand between you",
        )
    return fingerprint
