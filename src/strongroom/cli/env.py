"""``strongroom env``."""

from __future__ import annotations

import os
import platform
import sys

from strongroom import __version__
from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared

_LIBRARIES = ("blake3", "cryptography", "cyclopts", "joserfc", "msgspec", "platformdirs", "rich", "zxcvbn")


def env(*, shared: Shared = SHARED) -> None:
    """Print what belongs into a bug report.

    Versions and kinds only: no host name, no user name, no path, no value of a variable, nothing of a home.

    Examples:
        $ strongroom env
        $ strongroom env --json > env.json

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    facts = _facts(shared)
    shared.terminal.fields(facts, list(facts.items()))


def _facts(shared: Shared) -> dict[str, str]:
    from strongroom.cli.doctor.library import EXTRAS, version_of

    extras = sorted({library for libraries in EXTRAS.values() for library in libraries})
    variables = sorted(name for name in os.environ if name.startswith(("STRONGROOM_", "ORT_")))
    return {
        "strongroom": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()) or "unknown",
        "processors": str(os.cpu_count()),
        "encoding": f"{sys.stdout.encoding} for output, {sys.getfilesystemencoding()} for file names",
        "terminal": "yes" if shared.terminal.can_ask else "no",
        "home": _home_kind(shared),
        "variables set": ", ".join(variables) or "none",
        **{name: version_of(name) or "not installed" for name in (*_LIBRARIES, *extras)},
    }


def _home_kind(shared: Shared) -> str:
    if shared.home is not None:
        return "given with --home"
    return "from STRONGROOM_HOME" if os.environ.get("STRONGROOM_HOME") else "the user's own"


app = page(env, "env")
