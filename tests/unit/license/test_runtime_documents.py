from __future__ import annotations

import hashlib

from strongroom.license.runtime_documents import worker_key_digest
from tests.unit.license.world import OTHER_SEALING, SEALING


def test_a_request_names_the_raw_bytes_of_the_workers_key() -> None:
    raw = SEALING.public.to_bytes()
    assert worker_key_digest(SEALING.public) == hashlib.sha256(raw).hexdigest()
    assert worker_key_digest(OTHER_SEALING.public) != worker_key_digest(SEALING.public)
