"""A request whose JSON is read strictly: no doubled members, no floats, no NUL characters, bounded depth."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from strongroom._encoding import parse_json
from strongroom.errors import FormatError, UsageError

_JSON = "application/json"


class StrictRequest(Request):
    """What routes get instead of the framework's own request."""

    async def read_json(self, *, max_bytes: int) -> Any:
        """Read and keep the body; ``json`` gives it again.

        Raises:
            UsageError: another kind of body (code ``media-type``).
            FormatError: not JSON as we take it.
        """
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _JSON:
            raise UsageError(f"the body must be {_JSON}", code="media-type")
        value = parse_json(await self.body(), max_bytes=max_bytes)
        _verify_no_nul(value)
        # Where the framework keeps what it parsed; it then does not parse again, more loosely.
        self._json = value
        return value


def _verify_no_nul(value: Any) -> None:
    # Databases disagree about it, and nothing that we exchange has one.
    if isinstance(value, str) and "\0" in value:
        raise FormatError("a string holds a NUL character")
    if isinstance(value, dict):
        for item in value.values():
            _verify_no_nul(item)
    elif isinstance(value, list):
        for item in value:
            _verify_no_nul(item)
