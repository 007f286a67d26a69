"""``strongroom service``: install, status, remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import NoMatchingKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from strongroom.service.steps import Step
    from strongroom.service.unit import Plan

_UNITS = Path("/etc/systemd/system")

Account = Annotated[
    str, Parameter(help="The account of the service, and the name of its unit (else strongroom).")
]
Group = Annotated[
    str, Parameter(help="The group whose members may use the socket (else strongroom-clients).")
]
ServiceHome = Annotated[
    Path, Parameter(metavar="PATH", help="The home of the service (else /var/lib/strongroom).")
]
_ACCOUNT, _GROUP, _HOME = "strongroom", "strongroom-clients", Path("/var/lib/strongroom")


def install(
    models: Annotated[tuple[str, ...], Parameter(help="[OWNER/]NAME[@VERSION]; one or more.")],
    /,
    *,
    listen: Annotated[
        str | None, Parameter(metavar="HOST:PORT", help="An address (else a Unix socket for the group).")
    ] = None,
    name: Annotated[
        tuple[str, ...], Parameter(help="A name by which clients of the network reach it; may be repeated.")
    ] = (),
    account: Account = _ACCOUNT,
    group: Group = _GROUP,
    service_home: ServiceHome = _HOME,
    dry_run: Annotated[bool, Parameter(help="Only say what would be made.")] = False,
    shared: Shared = SHARED,
) -> None:
    """Make the account, the folders and the systemd unit that run models as a service. As root.

    The account is one that nobody logs in to, so that models can run at level `sealed`. Nothing is started:
    join and accept as that account first; the lines for it are printed. What is there already stays as it
    is, so that the same line can be run again, also after it failed or with other models.

    Examples:
        $ strongroom service install risk
        $ strongroom service install risk --listen 0.0.0.0:8443 --name risk.clinic.example
        $ strongroom service install risk --dry-run

    Raises:
        NoMatchingKey: you are not root.
        UsageError: words that cannot stand in a unit, or something of somebody else is in the way.
        StorageUnavailable: a step failed; what was made before, and how to go back, is said.
    """
    import sys

    from strongroom.service import steps
    from strongroom.service.unit import Plan, verify_seen

    unit = _UNITS / f"{account}.service"
    plan = Plan(
        models=models, account=account, group=group, home=service_home, unit=unit, listen=listen, names=name
    )
    verify_seen(plan, sys.executable)
    every = steps.steps_of(plan, program=sys.executable, run=steps.run_command)
    if dry_run:
        _show_steps(shared, every)
        return
    _verify_root()
    made = steps.install(plan, program=sys.executable)
    text = "\n".join(f"made: {title}" for title in made) or "everything was there already"
    shared.terminal.result({"made": list(made)}, text)
    _warn_of_level(shared, plan)
    if not shared.json:
        for line in _next_lines(plan, sys.executable):
            shared.terminal.note(line)


def status(
    *,
    account: Account = _ACCOUNT,
    group: Group = _GROUP,
    service_home: ServiceHome = _HOME,
    shared: Shared = SHARED,
) -> None:
    """Say what of the service is there. Whether it runs, systemd knows: `systemctl status strongroom`.

    Examples:
        $ strongroom service status

    Raises:
        UsageError: something of somebody else is in the way.
        StorageUnavailable: a file cannot be read.
    """
    import sys

    from strongroom.service import steps
    from strongroom.service.unit import Plan

    unit = _UNITS / f"{account}.service"
    plan = Plan(models=("risk",), account=account, group=group, home=service_home, unit=unit)
    found = steps.steps_of(plan, program=sys.executable, run=steps.run_command)[:-1]
    there = [(step.title, step.is_there()) for step in found] + [(f"unit {unit}", steps.has_unit(plan))]
    _show(shared, there)
    if all(holds for _, holds in there):
        _warn_of_level(shared, plan)


def remove(
    *,
    purge: Annotated[bool, Parameter(help="Remove the home with its keys too, and the account.")] = False,
    account: Account = _ACCOUNT,
    group: Group = _GROUP,
    service_home: ServiceHome = _HOME,
    shared: Shared = SHARED,
) -> None:
    """Stop the service and remove its unit. As root.

    Home and account stay, unless --purge: with the home go its keys, and every license that they open has
    to be granted anew. The account stays with its home, since its number would be given to another one.

    Examples:
        $ strongroom service remove
        $ strongroom service remove --purge

    Raises:
        NoMatchingKey: you are not root.
        UsageError: something there is not the service's, or nobody can be asked.
        StorageUnavailable: something could not be removed.
    """
    from strongroom.service import steps
    from strongroom.service.unit import Plan

    _verify_root()
    unit = _UNITS / f"{account}.service"
    plan = Plan(models=("risk",), account=account, group=group, home=service_home, unit=unit)
    plan.check()
    question = f"Remove {service_home} with its keys for ever?"
    if purge and not shared.terminal.confirm(question, yes=shared.yes):
        shared.terminal.note("Nothing was removed.")
        return
    gone = steps.remove(plan, purge=purge)
    text = "\n".join(f"removed: {title}" for title in gone) or "nothing was there"
    shared.terminal.result({"removed": list(gone)}, text)


def _verify_root() -> None:
    import os

    if os.geteuid() != 0:
        raise NoMatchingKey(
            "only root makes and removes accounts and units",
            code="service-root",
            hint="run it with sudo; --dry-run of install needs no root",
        )


def _show_steps(shared: Shared, every: tuple[Step, ...]) -> None:
    _show(shared, [(step.title, step.is_there()) for step in every])


def _show(shared: Shared, there: list[tuple[str, bool]]) -> None:
    documents = [{"what": what, "is_there": holds} for what, holds in there]
    rows = [(what, "is there" if holds else "missing") for what, holds in there]
    shared.terminal.table({"service": documents}, ("what", "state"), rows, empty="")


def _warn_of_level(shared: Shared, plan: Plan) -> None:
    """Say why the service would not be sealed, as far as files and folders decide it."""
    import pwd

    from strongroom.hardening.account import REMEDIES, Trait, program_places, verify_home, verify_program

    uid = pwd.getpwnam(plan.account).pw_uid
    looks: list[tuple[Trait, Callable[[], str]]] = [
        (Trait.HOME, lambda: verify_home(plan.home, uid)),
        (Trait.PROGRAM, lambda: verify_program(program_places(), uid, {})),
    ]
    for trait, look in looks:
        try:
            look()
        except OSError as error:
            shared.terminal.warning(f"level sealed is not reached: {error}; {REMEDIES[trait]}")


def _next_lines(plan: Plan, program: str) -> list[str]:
    run = f"setpriv --reuid={plan.account} --regid={plan.account} --init-groups --reset-env"
    ours = f"{run} {program} -I -m strongroom --home {plan.home}"
    return [
        f"Join and accept as the account: {ours} init NAME",
        f"Then start it: systemctl enable --now {plan.unit.stem}",
        f"Let people use its socket: usermod --append --groups {plan.group} USER"
        if plan.listen is None
        else f"Let a client use it: {ours} client add NAME",
    ]


app = noun(
    "service",
    "Run models as a service of this machine, under an account that nobody logs in to.",
    page(install, "install"),
    page(status, "status"),
    page(remove, "remove"),
)
