"""How an open model looks in a notebook and at a prompt. Never a key, always escaped.

    as_text(info, closed=False)     # Model('risk', version='1.2.0', owner='hospital', ...)
    as_html(info, closed=False)     # a small table

Names come from a stranger's package: whatever they hold, the page shows them as text.
"""

from __future__ import annotations

import html
from typing import Final

from strongroom._encoding import to_instant
from strongroom.client.info import ModelInfo

_MAX_LISTED: Final = 12
_DIGEST_CHARS: Final = 16


def as_text(info: ModelInfo, *, closed: bool) -> str:
    """Return one line for the prompt."""
    state = ", closed" if closed else ""
    return (
        f"Model({info.name!r}, version={info.version!r}, owner={info.owner!r}, "
        f"license={info.license!r}, level={info.level!r}{state})"
    )


def as_html(info: ModelInfo, *, closed: bool) -> str:
    """Return a small table for a notebook."""
    rows = [
        ("owner", f"{info.owner} ({info.owner_id})"),
        ("package", f"{info.package[:_DIGEST_CHARS]}…"),
        ("license", info.license),
        ("level", info.level),
        ("ends", "never by itself" if info.expires is None else to_instant(info.expires)),
        ("predictions left", _left(info)),
        ("methods", ", ".join(info.methods)),
        ("takes", _listed(info.columns or tuple(field.name for field in info.inputs))),
        ("classes", _listed(tuple(str(label) for label in info.classes))),
    ]
    title = f"{info.name} {info.version}{' (closed)' if closed else ''}"
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in rows
        if value
    )
    return f"<table><caption>{html.escape(title)}</caption>{body}</table>"


def _left(info: ModelInfo) -> str:
    if info.remaining is None:
        return "not counted"
    return f"{info.remaining:,}" + ("" if info.lease_ends is None else " in the lease in hand")


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
