"""The letter that goes with a license: what to do with these files, step by step.

Plain text, for whoever opens the folder; it may be a doctor. It holds no secret and no fingerprint: the
comparison on the telephone would be worth nothing if the numbers came with the files.
"""

from __future__ import annotations

from dataclasses import dataclass

LETTER_NAME = "READ-ME-FIRST.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What the letter says."""

    owner: str
    partner: str
    model: str
    version: str
    license_file: str
    package_file: str | None
    """None if the package is sent another way."""
    ends: str
    has_agreement: bool
    needs_passphrase: bool

    def to_text(self) -> str:
        """Write the letter."""
        steps = [
            _step(
                f"Open a terminal in this folder, on the Linux machine and under the account with which\n"
                f"   you joined {self.owner}. Python 3.11 or later is needed. Install Strongroom, if it is\n"
                "   not there yet:",
                'pip install "strongroom[demo]"',
            ),
            *self._meet(),
            _step(
                "Look at the license. This shows in plain words what you may do and until when:",
                f"strongroom inspect {self.license_file}",
            ),
            _step(self._accept_reason(), f"strongroom accept {self.license_file}"),
            _step("Check that everything is in order. This runs nothing:", f"strongroom open {self.model}"),
            _step(
                "Use the model. patients.csv stands for your own table:",
                f"strongroom predict {self.model} patients.csv --output answers.csv",
            ),
        ]
        numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
        return f"{self._opening()}\n{numbered}{_CLOSING.format(owner=self.owner)}"

    def _opening(self) -> str:
        files = {self.license_file: f"the license, made for {self.partner} alone"}
        if self.package_file is not None:
            files[self.package_file] = "the model, encrypted"
            files[f"{self.package_file}.sig"] = "a signature for other tools; you do not need it"
        width = max(map(len, files))
        listed = "\n".join(f"  {name.ljust(width)}   {what}" for name, what in files.items())
        return (
            f"From {self.owner} to {self.partner}\n\n"
            f"You may use the model {self.model}, version {self.version}, until {self.ends}.\n"
            f"In this folder:\n\n{listed}\n\n"
            "Keep the files together. None of them is a secret: without the keys of your own\n"
            "installation they are of no use to anybody.\n\n"
            "What to do:\n"
        )

    def _meet(self) -> list[str]:
        if self.needs_passphrase:
            return [
                f"Call {self.owner} on a number that you know, not one from a message, and ask for the\n"
                "   pass-phrase. It is not in this folder.\n"
            ]
        return [
            f"Call {self.owner} on a number that you know, not one from a message. Step 4 shows a\n"
            "   fingerprint: read it to each other and go on only if the two are the same.\n"
        ]

    def _accept_reason(self) -> str:
        if self.has_agreement:
            return "Accept the license and the agreement that comes with it. It is shown to you first:"
        return "Accept the license. Nothing opens before that:"


def _step(reason: str, command: str) -> str:
    return f"{reason}\n\n       {command}\n"


_CLOSING = """
Your data stays with you: the model runs on your own machine, and nothing is sent to {owner}.
If something goes wrong, `strongroom doctor` says what and how to fix it.
"""
