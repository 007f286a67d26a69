"""Which pass-phrases are strong enough, and what to do about one that is not.

    verify_passphrase("correct horse battery staple", context_words=["clinic"])

The judge is zxcvbn (Wheeler, USENIX Security 2016): it counts how many guesses an
informed attacker needs. Score 3 of 4 means at least 10**8 guesses; each costs the
attacker one run of Argon2id over 64 MiB (spec/keys.md, "Pass-phrases").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from strongroom._limits import LIMITS
from strongroom.errors import UsageError

_MIN_SCORE: Final = 3
_JUDGED_CHARS: Final = 72
"""zxcvbn takes 20 seconds for 256 random characters. What comes later can only add strength."""
_ADVICE: Final = "Use four or more words that do not belong together."


def verify_passphrase(passphrase: str, *, context_words: Sequence[str] = ()) -> None:
    """Refuse a pass-phrase that can be guessed.

    Args:
        passphrase: What somebody chose.
        context_words: Words that an attacker tries first: names of owner, partner, model.

    Raises:
        UsageError: too weak (code ``passphrase-weak``; the hint says what to change), or
            too long.
    """
    # zxcvbn takes 30 ms to import its word lists; most calls of the program need none.
    from zxcvbn import zxcvbn

    if len(passphrase.encode("utf-8", "surrogatepass")) > LIMITS.max_passphrase_bytes:
        raise UsageError(
            f"a pass-phrase is longer than {LIMITS.max_passphrase_bytes} bytes", code="passphrase-long"
        )
    judged = passphrase[:_JUDGED_CHARS]
    # An empty one crashes zxcvbn.
    result = zxcvbn(judged, user_inputs=list(context_words), max_length=_JUDGED_CHARS) if judged else None
    if result is None or result["score"] < _MIN_SCORE:
        raise UsageError("the pass-phrase is too easy to guess", code="passphrase-weak", hint=_hint(result))


def _hint(result: dict[str, Any] | None) -> str:
    if result is None:
        return _ADVICE
    # Fixed sentences of zxcvbn's; they never repeat what was typed.
    feedback = result["feedback"]
    advice = [feedback["warning"], *feedback["suggestions"], _ADVICE]
    return " ".join(sentence for sentence in advice if sentence)
