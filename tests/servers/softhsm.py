"""A hardware token in software: Debian's SoftHSM, with its configuration and tokens in a folder of its own.

    token = SoftToken.start(folder)
    token.key("kek")                 # a TokenKey; create_key makes it
    token.unplug(); token.plug_in()

The library reads its configuration once a process, from the environment; so there is
one token for all tests of a process.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pkcs11

from strongroom.kms.pkcs11 import TokenKey

PIN = "planted-pin-482915"
LABEL = "owner"
_MODULES = ("lib/softhsm/libsofthsm2.so", "lib/*/softhsm/libsofthsm2.so", "lib64/**/libsofthsm2.so")


def find_module() -> str:
    """Return the path of SoftHSM's library; fails with what to do if there is none."""
    for root in (Path("/usr"), Path("/usr/local")):
        for pattern in _MODULES:
            for path in sorted(root.glob(pattern)):
                return str(path)
    raise AssertionError("SoftHSM is not installed; run as root: make setup")


@dataclass(frozen=True, slots=True)
class SoftToken:
    """One token in a folder."""

    module: str
    folder: Path

    @classmethod
    def start(cls, folder: Path) -> SoftToken:
        """Make a token in an empty folder and point the library of this process at it."""
        module = find_module()
        (folder / "tokens").mkdir()
        config = folder / "softhsm2.conf"
        config.write_text(
            f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        os.environ["SOFTHSM2_CONF"] = str(config)
        command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", PIN, "--pin", PIN]
        subprocess.run(command, check=True, capture_output=True)
        return cls(module, folder)

    def key(self, label: str) -> TokenKey:
        """Say where a key of this label is, or would be."""
        return TokenKey(module=self.module, token=LABEL, label=label)

    def unplug(self) -> None:
        """Take the token away."""
        pkcs11.lib(self.module).finalize()
        (self.folder / "tokens").rename(self.folder / "unplugged")
        (self.folder / "tokens").mkdir()

    def plug_in(self) -> None:
        """Bring the token back."""
        pkcs11.lib(self.module).finalize()
        (self.folder / "tokens").rmdir()
        (self.folder / "unplugged").rename(self.folder / "tokens")

    def stop(self) -> None:
        """Let the library go."""
        pkcs11.unload(self.module)
        os.environ.pop("SOFTHSM2_CONF", None)
