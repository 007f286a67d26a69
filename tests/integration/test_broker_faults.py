"""A broker that is killed or loses its database: what holds afterwards.

After each fault the broker starts again over what is left. No act that it acknowledged is lost, none
is half done, the log verifies, nothing is counted twice, and no quota is exceeded. ``audit`` counts
all of it anew from the signed documents.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from strongroom.broker.faults import FaultPoint, Faults
from strongroom.broker.records import LeaseEnd
from strongroom.errors import LicenseDenied, StorageUnavailable
from strongroom.license.documents import Lease, Usage
from strongroom.license.period import Period
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Predictions
from strongroom.protocol.broker import (
    LeaseAnswer,
    LeaseAsk,
    LicenseAsk,
    ReturnAsk,
    RevocationAsk,
    UsageAsk,
)
from tests.broker_scene import Machine, Scene, note
from tests.integration.broker_audit import audit
from tests.integration.broker_child import Killing, Mouth, Run, play
from tests.integration.stage import Stage
from tests.servers.postgresql import PostgreSql

KILLS = int(os.environ.get("STRONGROOM_KILLS", "6"))
TURNS = 100
"""Of each player, until it is killed."""
ACTS = ("grant", "lease", "renew", "usage", "return", "revoke")
LEDGER_POINTS = tuple(FaultPoint)

LIMIT_A_KILL = 20
"""So that many kills do not end with a quota that is used up, and machines that only ask in vain."""
RETURNS = 0.2
"""How often a machine gives its lease back instead of renewing it."""

Ask = LeaseAsk | ReturnAsk
Act = Callable[[Scene, "Stage"], None]


@pytest.fixture
def scene(database_url: str, tmp_path: Path) -> Iterator[Scene]:
    opened = Scene.build(tmp_path, database_url)
    yield opened
    opened.close()


def again(scene: Scene) -> Scene:
    """Start the broker anew and check everything."""
    opened = scene.reopen()
    audit(opened)
    return opened


# -- killed at a named point ----------------------------------------------------------


@pytest.mark.parametrize("point", LEDGER_POINTS)
@pytest.mark.parametrize("kind", ACTS)
def test_a_kill_at_a_fault_point_leaves_the_act_done_or_not_done(
    scene: Scene, kind: str, point: FaultPoint
) -> None:
    stage = Stage(scene)
    if kind in ("renew", "usage", "return"):
        scene.take(stage.machine, stage.license, stage.package)
    act = _ask(scene, stage, kind)
    audit(scene)
    scene.close()
    faults = Killing(point)

    def script(opened: Scene, mouth: Mouth, _: Faults) -> None:
        faults.is_armed = True
        act(opened)
        mouth.say(0, "done", kind, None)

    run = play(scene, script, faults)
    assert run.was_killed
    assert not run.done, "acknowledged before the point at which nobody knew"
    opened = again(scene)
    # Whoever got no answer asks the same again; it happens once.
    act(opened)
    audit(opened)
    act(opened)
    audit(opened)
    opened.close()


def _ask(scene: Scene, stage: Stage, kind: str) -> Callable[[Scene], object]:
    """Make one request, and return what hands it in, now or again."""
    machine = stage.machine
    if kind == "grant":
        token = scene.sign_license(stage.clinic, Predictions(limit=7, per=Period.DAY))
        return lambda opened: opened.services.licensing.grant(opened.admin, LicenseAsk(license=token))
    if kind in ("lease", "renew"):
        ask = scene.request(
            machine, stage.license, stage.package, used=stage.used(5 if machine.previous else 0)
        )
        return lambda opened: opened.services.leasing.take(machine.principal, ask)
    if kind == "revoke":
        revocation = scene.revoke(stage.other)
        return lambda opened: opened.services.licensing.revoke(opened.admin, revocation)
    assert machine.previous is not None
    lease = machine.previous
    usage = scene.usage(machine, stage.license, lease, stage.used(5))
    if kind == "usage":
        return lambda opened: opened.services.reporting.report(machine.principal, UsageAsk(usage=usage))
    return lambda opened: opened.services.leasing.give_back(machine.principal, lease, ReturnAsk(usage=usage))


# -- killed anywhere ------------------------------------------------------------------


@pytest.mark.parametrize("by", ["count", "time"])
def test_kills_anywhere_lose_nothing_and_count_nothing_twice(scene: Scene, by: str) -> None:
    stage = Stage(scene, machines=4, limit=LIMIT_A_KILL * KILLS)
    chance = random.Random(20261124)  # noqa: S311 - moments to die at
    pending: dict[int, Ask] = {}
    for _ in range(KILLS):
        scene.close()
        faults = Killing(None, chance.randrange(1, 120)) if by == "count" else Killing("never")
        seed = chance.random()

        def script(opened: Scene, mouth: Mouth, armed: Faults, seed: float = seed) -> None:
            assert isinstance(armed, Killing)
            armed.is_armed = True
            _play_at_random(opened, stage, mouth, pending, seed)

        delay = chance.uniform(0.02, 0.4) if by == "time" else None
        run = play(scene, script, faults, kill_after=delay)
        scene = again(scene)
        _verify_acknowledged(scene, stage, run, pending)


def _play_at_random(scene: Scene, stage: Stage, mouth: Mouth, pending: dict[int, Ask], seed: float) -> None:
    """Let every machine renew, each in a thread of its own, while licenses come and go."""

    def machine(thread: int) -> None:
        mine = stage.clinic.machines[thread]
        chance = random.Random(f"{seed}-{thread}")  # noqa: S311 - numbers to report
        for turn in range(TURNS):
            # After a crash a machine asks first what it had asked before.
            ask = pending.get(thread) if turn == 0 else None
            ask = ask or _next_ask(scene, stage, mine, chance)
            mouth.say(thread, "ask", "machine", ask)
            if isinstance(ask, ReturnAsk):
                scene.services.leasing.give_back(mine.principal, _lease_of(ask), ask)
                _note_return(mine, ask)
                mouth.say(thread, "done", "return", ask)
                continue
            try:
                answer = scene.services.leasing.take(mine.principal, ask)
            except LicenseDenied:
                # The last seat is taken, or the quota is held by others.
                mouth.say(thread, "done", "denied", ask)
                continue
            note(mine, ask, answer)
            mouth.say(thread, "done", "lease", (ask, answer))

    def owner(thread: int) -> None:
        for _ in range(TURNS):
            token = scene.sign_license(stage.clinic)
            granted = scene.services.licensing.grant(scene.admin, LicenseAsk(license=token)).license
            mouth.say(thread, "done", "grant", (granted, token))
            ask: RevocationAsk = scene.revoke(granted)
            scene.services.licensing.revoke(scene.admin, ask)
            mouth.say(thread, "done", "revoke", granted)

    with ThreadPoolExecutor(5) as pool:
        players = [*(pool.submit(machine, thread) for thread in range(4)), pool.submit(owner, 4)]
        for player in players:
            player.result()


def _next_ask(scene: Scene, stage: Stage, machine: Machine, chance: random.Random) -> LeaseAsk | ReturnAsk:
    """Make the next request of a machine: mostly a lease or its renewal, now and then its return."""
    used = stage.used(min(chance.randrange(3), _slice_of(scene, machine)))
    if machine.previous is not None and chance.random() < RETURNS:
        return ReturnAsk(usage=scene.usage(machine, stage.license, machine.previous, used))
    return scene.request(machine, stage.license, stage.package, used=used)


def _slice_of(scene: Scene, machine: Machine) -> int:
    """Return what the newest lease of a machine allows: an honest one uses no more than that."""
    if machine.previous is None:
        return 0
    with scene.ledger.view() as kept:
        row = kept.lease(machine.previous)
    assert row is not None
    return sum(budget.limit for budget in read_unverified(row.token, Lease).budget)


def _report_of(ask: ReturnAsk) -> Usage:
    assert ask.usage is not None
    return read_unverified(ask.usage, Usage)


def _lease_of(ask: ReturnAsk) -> str:
    return _report_of(ask).authority


def _note_return(machine: Machine, ask: ReturnAsk) -> None:
    machine.previous, machine.usage = None, _report_of(ask).id


def _verify_acknowledged(scene: Scene, stage: Stage, run: Run, pending: dict[int, Ask]) -> None:
    """What was acknowledged is there; the machines remember what they were told."""
    for thread, _, kind, about in run.done:
        if kind == "lease":
            ask, answer = about
            lease = note(stage.clinic.machines[thread], ask, answer)
            with scene.ledger.view() as kept:
                assert kept.lease(lease.id) is not None
                if ask.usage is not None:
                    assert kept.usage(read_unverified(ask.usage, Usage).id) is not None
        if kind == "return":
            _note_return(stage.clinic.machines[thread], about)
            with scene.ledger.view() as kept:
                row = kept.lease(_lease_of(about))
                assert row is not None
                assert (row.ended, row.reported) == (LeaseEnd.RETURNED, True)
                assert kept.usage(_report_of(about).id) is not None
        if kind == "grant":
            granted, token = about
            with scene.ledger.view() as kept:
                found = kept.license(granted)
                assert found is not None
                assert found.token == token
        if kind == "revoke":
            with scene.ledger.view() as kept:
                assert kept.revoked([about]) == {about}
        pending.pop(thread, None)
    for thread, told in run.asked.items():
        pending[thread] = told[3]


# -- the database is gone --------------------------------------------------------------


@pytest.mark.slow
def test_a_database_that_was_gone_is_used_again_when_it_is_back(
    scene: Scene, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    stage = Stage(scene)
    scene.take(stage.machine, stage.license, stage.package)
    ask = scene.request(stage.machine, stage.license, stage.package, used=stage.used(5))
    if scene.url.startswith("sqlite"):
        there, away = tmp_path / "broker.db", tmp_path / "away.db"
        there.rename(away)
        bring_back: Callable[[], object] = partial(away.rename, there)
    else:
        server: PostgreSql = request.getfixturevalue("postgresql")
        server.crash()
        bring_back = server.start
    try:
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                scene.services.leasing.take(stage.machine.principal, ask)
    finally:
        bring_back()
    answer = _patiently(lambda: scene.services.leasing.take(stage.machine.principal, ask))
    note(stage.machine, ask, answer)
    audit(scene)


def _patiently(call: Callable[[], LeaseAnswer]) -> LeaseAnswer:
    """Ask again for a while: a server that comes back does not take everybody at once."""
    for _ in range(50):
        try:
            return call()
        except StorageUnavailable:
            time.sleep(0.1)
    return call()
