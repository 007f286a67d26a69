"""Text for terminals: without anything that could control one, and folded to the width of a window."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with every control, format and bidirectional character spelled out."""
    # str.isprintable is false for control, format (bidi overrides, zero width), surrogate and unassigned
    # characters and for every space but U+0020: exactly what could forge or hide terminal output.
    return "".join(
        character
        if character == "\n" or character.isprintable()
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def hang(label: str, text: str, width: int | None) -> str:
    """Put text after a label, wrapped under its own beginning if a width is given."""
    if width is None or len(label) + len(text) < width:
        return f"{label}{text}".rstrip()
    from textwrap import fill

    return fill(
        text,
        max(width - 1, len(label) + 20),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_on_hyphens=False,
        break_long_words=False,
    )
