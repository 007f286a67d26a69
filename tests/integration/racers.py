"""Many brokers over one database, each a process, that all give a lease at the same instant.

    python -m tests.integration.racers < race.json

Reads what to do and forks one process for each request. Each of them opens its database and says that
it is ready; when all have, all of them go at once. Prints what each was answered: the code of a
refusal, or ``given`` and the budget of the lease.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from datetime import datetime
from pathlib import Path
from typing import Any

from strongroom.broker.keys import BrokerKeys
from strongroom.broker.ledger import Ledger
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.broker.services.leasing import Leasing
from strongroom.broker.settings import Settings
from strongroom.broker.sql.store import open_store
from strongroom.errors import Error
from strongroom.home import Home
from strongroom.license.documents import Lease
from strongroom.license.signing import read_unverified
from strongroom.protocol.broker import LeaseAsk
from tests.simulators.clocks import HeldClock

READY, FAILED = b"r", b"f"


def race(plan: dict[str, Any], number: int, ready: int, go: int) -> str:
    """Say that all is ready, wait for the start, then ask a broker of this process."""
    now = datetime.fromisoformat(plan["now"])
    asked = plan["asks"][number]
    keys = BrokerKeys(Home.open(Path(plan["home"])), now=now)
    store = open_store(plan["url"])
    ledger = Ledger(store, keys, HeldClock(now))
    ledger.start()
    leasing = Leasing(ledger, keys, Settings())
    principal = Principal(
        organization=asked["organization"], id=asked["runtime"], kind=PrincipalKind.RUNTIME, role=Role.RUNTIME
    )
    os.write(ready, READY)
    os.read(go, 1)
    try:
        answer = leasing.take(principal, LeaseAsk(request=asked["request"], worker_key=asked["worker_key"]))
    except Error as error:
        return error.code
    finally:
        ledger.close()
        store.close()
    lease = read_unverified(answer.lease, Lease)
    return "given " + ",".join(str(entry.limit) for entry in lease.budget)


def main() -> None:
    """Fork, start all at once, and print the answers."""
    plan = json.load(sys.stdin)
    ready_out, ready_in = os.pipe()
    go_out, go_in = os.pipe()
    results = []
    for number in range(len(plan["asks"])):
        out, into = os.pipe()
        if os.fork() == 0:
            os.close(go_in)
            try:
                said = race(plan, number, ready_in, go_out)
            except BaseException:  # noqa: BLE001 - the parent has to hear of everything
                said = traceback.format_exc()
                os.write(ready_in, FAILED)
            os.write(into, said.encode())
            os._exit(0)
        os.close(into)
        results.append(out)
    told = b""
    while told.count(READY) < len(results) and FAILED not in told:
        told += os.read(ready_out, len(results))
    # The end of the pipe is the start for all of them.
    os.close(go_in)
    answers = []
    for out in results:
        with os.fdopen(out, "rb") as stream:
            answers.append(stream.read().decode())
    for _ in results:
        os.wait()
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
