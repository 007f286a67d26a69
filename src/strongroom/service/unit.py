"""The systemd unit of the service, as text.

    unit_of(Plan(models=("risk",)), program=sys.executable)

What systemd takes away here is taken from all processes of the service. What a worker needs to confine
itself further stays: user namespaces, Landlock, ``memfd_secret``. ``PrivateUsers=`` must stay away too: its
user ids are a namespace's, which any user could make (docs/adr/0021).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.errors import UsageError

MARK: Final = "# Made by 'strongroom service install'; it is written anew there."
_WORD: Final = re.compile(r"[A-Za-z0-9@/._:\[\]+-]+")
_HIDDEN: Final = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - as the unit says
"""What ``ProtectHome`` and ``PrivateTmp`` keep from the service."""
_ACCOUNT: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be installed."""

    models: tuple[str, ...]
    account: str = "strongroom"
    group: str = "strongroom-clients"
    """Whose members may use the socket."""
    home: Path = Path("/var/lib/strongroom")
    unit: Path = Path("/etc/systemd/system/strongroom.service")
    listen: str | None = None
    """An address of the network; None: the Unix socket."""
    names: tuple[str, ...] = ()

    @property
    def run_folder(self) -> Path:
        """Where systemd makes the folder of the socket."""
        return Path("/run") / self.unit.stem

    @property
    def socket(self) -> Path:
        """The socket."""
        return self.run_folder / "models.sock"

    def check(self) -> None:
        """Check that all of it can stand in a unit.

        Raises:
            UsageError: A word cannot (code ``service-word``), or no model is named (code ``no-model``).
        """
        if not self.models:
            raise UsageError("no model is named", code="no-model", hint="strongroom models lists them")
        for name in (self.account, self.group):
            if not _ACCOUNT.fullmatch(name):
                raise _unusable(name)
        for word in (*self.models, *self.names, str(self.home), str(self.unit), *filter(None, [self.listen])):
            if not _WORD.fullmatch(word) or word.startswith("-"):
                raise _unusable(word)
        if not self.home.is_absolute():
            raise _unusable(str(self.home))


def verify_seen(plan: Plan, program: str) -> None:
    """Check that the service can see its home and its program: the unit hides folders of people from it.

    Raises:
        UsageError: one of them lies in a folder that is hidden (code ``service-hidden``).
    """
    for place in (plan.home, Path(program)):
        for hidden in _HIDDEN:
            if place.is_relative_to(hidden):
                raise UsageError(
                    f"{place} lies under {hidden}, which the service is kept from seeing",
                    code="service-hidden",
                    hint="install the program in a folder such as /opt/strongroom; its home may be one such "
                    "as /var/lib/strongroom",
                )


def command_of(plan: Plan, program: str) -> list[str]:
    """Return the command line of the service."""
    where = ["--socket", str(plan.socket), "--socket-group", plan.group]
    if plan.listen is not None:
        where = ["--listen", plan.listen, *(word for name in plan.names for word in ("--name", name))]
    # Isolated: neither the environment nor the working folder decides what is imported.
    return [program, "-I", "-B", "-m", "strongroom", "--home", str(plan.home), "run", *plan.models, *where]


def unit_of(plan: Plan, program: str) -> str:
    """Return the unit."""
    if not _WORD.fullmatch(program):
        raise _unusable(program)
    return f"""\
{MARK}
[Unit]
Description=Strongroom: licensed models ({", ".join(plan.models)})
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={" ".join(command_of(plan, program))}
User={plan.account}
Group={plan.account}
SupplementaryGroups={plan.group}
RuntimeDirectory={plan.run_folder.name}
RuntimeDirectoryMode=0755
UMask=0077
Restart=on-failure
RestartSec=10
KillMode=mixed
TimeoutStopSec=60

LimitCORE=0
LimitMEMLOCK=infinity
LimitNOFILE=65536

NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths={plan.home}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""


def _unusable(word: str) -> UsageError:
    return UsageError(
        f"{word[:64]!r} cannot stand in the unit of a service",
        code="service-word",
        hint="use letters, digits and . _ - @ / : only; install the program in a folder such as "
        "/opt/strongroom",
    )
