"""Leases at the partner: taken, renewed and given back, and what holds while no broker answers.

    holder = Leaseholder(home, opening, client, clock)
    held = holder.take(worker_key)                    # asks the broker
    held = holder.kept()                              # what the home has, for a restart in an outage
    session = LeaseSession.begin(holder, worker_key)  # one open model: renews by itself

    break_glass(home, opening, reason, clock)         # in an emergency, after the grace
    check_out(home, client, license, package)         # an offline file, for a machine without network

``leaseholder`` says what is asked and what is kept, ``exchanging`` how it is asked, ``answer`` what is
believed, ``session`` when to ask. The rules are those of spec/license.md, "Leases, grace and break-glass".
"""

from strongroom.leasing.breaking import break_glass
from strongroom.leasing.checkout import check_out
from strongroom.leasing.connecting import runtime_client
from strongroom.leasing.hearing import asker
from strongroom.leasing.leaseholder import Held, Leaseholder
from strongroom.leasing.session import LeaseSession, Pace

__all__ = [
    "Held",
    "LeaseSession",
    "Leaseholder",
    "Pace",
    "asker",
    "break_glass",
    "check_out",
    "runtime_client",
]
