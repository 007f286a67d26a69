"""What counts as silence: an outage, in which grace begins, and not an answer.

    except Error as error:
        if not is_silence(error):
            raise

A page of somebody's proxy, a redirect, an answer that is cut off or none of ours, or one from a
machine with another certificate: a partner rejects it and has not been answered
(spec/broker-api.md, "Conventions"). Whoever can bring about one of these can cut the wire as well.
"""

from __future__ import annotations

from typing import Final

from strongroom.connection.interface import NOT_THE_BROKER
from strongroom.errors import BrokerUnavailable, Error

_NO_ANSWER: Final = NOT_THE_BROKER | {"broker-answer", "log-offer-size"}
"""The last: other programs of this home went on reading the log, time and again."""
_BUSY: Final = "locked"


def is_silence(error: Error) -> bool:
    """Say whether an error means that the broker did not answer."""
    return isinstance(error, BrokerUnavailable) or error.code in _NO_ANSWER


def is_busy(error: Error) -> bool:
    """Say whether an error means that another program of this home is asking, and has no answer yet."""
    return error.code == _BUSY
