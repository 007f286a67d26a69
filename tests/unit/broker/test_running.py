from __future__ import annotations

import io
import json
import ssl

from strongroom.broker.http.request_log import RequestLog
from strongroom.broker.running import renewal
from strongroom.errors import StorageUnavailable


class FullDisk:
    @property
    def certificate_path(self) -> str:
        raise AssertionError("nothing new is there to be loaded")

    key_path = certificate_path

    def renew(self) -> bool:
        raise StorageUnavailable("cannot write /home/a.clinic/server.pem", code="disk-full")


def test_certificates_that_cannot_be_renewed_end_no_broker() -> None:
    lines = io.StringIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    renewal(FullDisk(), context, RequestLog(lines))()  # type: ignore[arg-type] # it never gets to the paths
    line = json.loads(lines.getvalue())
    assert (line["event"], line["code"]) == ("certificate-not-renewed", "disk-full")
    assert "a.clinic" not in lines.getvalue()
