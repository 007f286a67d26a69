"""The routes, in the shape of the protocol, without a socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from strongroom.errors import BrokerUnavailable, Error, LicenseDenied, WorkerLost
from strongroom.receipts.receipt_file import ReceiptFile
from strongroom.receipts.salt_file import SaltFile
from strongroom.receipts.verifying import verify_receipts
from strongroom.serving.admission import Token
from strongroom.serving.app import InferenceApp
from strongroom.serving.inference import read_tensors
from strongroom.serving.served_model import ServedModel
from strongroom.serving.settings import ServingSettings
from tests.unit.license.world import OWNER
from tests.unit.serving.runtimes import Doubler, opened

TOKEN = "a-token-of-a-client"
BODY = json.dumps(
    {"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": [1, 4711.25]}]}
).encode()


class Client:
    """Speaks ASGI to the application."""

    def __init__(self, **settings: Any) -> None:
        self.runtime = Doubler()
        self.model = ServedModel.start(
            lambda: (self.runtime, opened()), max_waiting=2, tell=lambda line: None
        )
        self.app = InferenceApp([self.model], ServingSettings(**settings), gate=Token.of(TOKEN))

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        token: str | None = TOKEN,
        headers: dict[bytes, bytes] | None = None,
        messages: list[dict[str, Any]] | None = None,
    ) -> Reply | None:
        given = {b"content-length": str(len(body)).encode(), **(headers or {})}
        if token is not None:
            given[b"authorization"] = b"Bearer " + token.encode()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "headers": [(name, value) for name, value in given.items() if value],
        }
        return asyncio.run(self._play(scope, messages or [{"type": "http.request", "body": body}]))

    async def _play(self, scope: dict[str, Any], messages: list[dict[str, Any]]) -> Reply | None:
        sent: list[Any] = []

        async def receive() -> Any:
            if messages:
                return messages.pop(0)
            return await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        if not sent:
            return None
        start, end = sent
        return Reply(start["status"], dict(start["headers"]), end["body"])


class Reply:
    def __init__(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def code(self) -> str:
        assert isinstance(self.json["error"], str)
        return str(self.json["code"])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.model.close()


def infer(client: Client, body: bytes = BODY, **options: Any) -> Reply:
    reply = client.send("POST", "/v2/models/risk/infer", body, **options)
    assert reply is not None
    return reply


def get(client: Client, path: str, **options: Any) -> Reply:
    reply = client.send("GET", path, **options)
    assert reply is not None
    return reply


class TestRoutes:
    def test_an_answer(self, client: Client) -> None:
        reply = infer(client)
        assert reply.status == 200
        assert reply.json["outputs"][0]["data"] == [2, 9422.5]
        assert reply.headers[b"cache-control"] == b"no-store"

    def test_a_version_in_the_path(self, client: Client) -> None:
        reply = client.send("POST", "/v2/models/risk/versions/1.0.0/infer", BODY)
        assert reply is not None
        assert reply.status == 200

    def test_a_binary_answer_says_where_its_json_ends(self, client: Client) -> None:
        body = json.dumps(json.loads(BODY) | {"parameters": {"binary_data_output": True}}).encode()
        reply = infer(client, body)
        size = int(reply.headers[b"inference-header-content-length"])
        assert json.loads(reply.body[:size])["outputs"][0]["parameters"] == {"binary_data_size": 8}
        assert reply.headers[b"content-type"] == b"application/octet-stream"

    def test_a_large_request_is_read_beside_the_others(self, client: Client) -> None:
        rows = json.dumps([1.5] * 40_000)
        body = b'{"inputs": [{"name": "X", "shape": [20000, 2], "datatype": "FP32", "data": %s}]}'
        assert infer(client, body % rows.encode()).status == 200

    def test_metadata(self, client: Client) -> None:
        assert get(client, "/v2").json["extensions"] == ["binary_tensor_data"]
        assert get(client, "/v2/models/risk").json["name"] == "risk"
        assert get(client, "/v2/models/risk/ready").json == {"name": "risk", "ready": True}

    def test_health_is_open_to_everybody(self, client: Client) -> None:
        assert get(client, "/v2/health/live", token=None).status == 200
        assert get(client, "/v2/health/ready", token=None).status == 200

    def test_a_model_that_died_is_not_ready(self, client: Client) -> None:
        client.runtime.errors = [WorkerLost("gone")]
        assert infer(client).status == 503
        assert get(client, "/v2/health/ready", token=None).status == 503
        assert get(client, "/v2/models/risk/ready").status == 503

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/", "unknown-address"),
            ("/v2/health/else", "unknown-address"),
            ("/v2/models", "unknown-address"),
            ("/v2/models/risk/else", "unknown-address"),
            ("/v2/models/fraud", "unknown-model"),
            ("/v2/models/risk/versions/2.0.0", "unknown-version"),
        ],
    )
    def test_what_is_not_there(self, client: Client, path: str, code: str) -> None:
        reply = get(client, path)
        assert (reply.status, reply.code) == (404, code)

    def test_the_other_method(self, client: Client) -> None:
        assert get(client, "/v2/models/risk/infer").headers[b"allow"] == b"POST"
        reply = client.send("POST", "/v2")
        assert reply is not None
        assert reply.status == 405

    def test_other_kinds_of_connection_are_not_answered(self, client: Client) -> None:
        asyncio.run(client._play({"type": "lifespan"}, []))


class TestRefusals:
    @pytest.mark.parametrize("token", [None, "", "another", TOKEN[:-1]])
    def test_without_the_token(self, client: Client, token: str | None) -> None:
        for path in ("/v2", "/v2/models/risk", "/v2/models/fraud", "/v2/else"):
            reply = get(client, path, token=token)
            assert (reply.status, reply.code) == (401, "token")
            assert reply.headers[b"www-authenticate"] == b"Bearer"
        assert infer(client, token=token).status == 401
        assert not client.runtime.asked

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (LicenseDenied("no", code="expired"), 403),
            (LicenseDenied("no", code="predictions-used-up"), 429),
            (LicenseDenied("no", code="rate-exceeded"), 429),
            (BrokerUnavailable("down"), 503),
            (Error("else"), 500),
        ],
    )
    def test_have_the_status_of_their_kind(self, client: Client, error: Error, status: int) -> None:
        client.runtime.errors = [error]
        reply = infer(client)
        assert (reply.status, reply.code) == (status, error.code)
        assert (b"retry-after" in reply.headers) == (status == 503 or error.code == "rate-exceeded")

    def test_what_was_not_foreseen_is_told_without_its_text(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise ZeroDivisionError("4711.25")

        monkeypatch.setattr(client.runtime, "ask", fail)
        reply = infer(client)
        assert (reply.status, reply.code) == (500, "unexpected")
        assert b"4711" not in reply.body

    @pytest.mark.parametrize(
        ("headers", "status", "code"),
        [
            ({b"content-length": b""}, 400, "length-required"),
            ({b"content-length": b"x"}, 400, "inference-body"),
            ({b"content-length": b"1"}, 400, "inference-body"),
            ({b"content-length": b"9" * 15}, 413, "body-too-large"),
            ({b"inference-header-content-length": b"-1"}, 400, "inference-body"),
            ({b"content-encoding": b"gzip"}, 400, "content-encoding"),
        ],
    )
    def test_heads_that_are_wrong(
        self, client: Client, headers: dict[bytes, bytes], status: int, code: str
    ) -> None:
        reply = infer(client, headers=headers)
        assert (reply.status, reply.code) == (status, code)
        assert not client.runtime.asked

    def test_an_address_that_is_too_long(self, client: Client) -> None:
        assert get(client, "/v2/models/" + "x" * 3000).code == "target-too-long"

    def test_json_is_limited_more_than_binary_tensors(self) -> None:
        client = Client(max_json_bytes=10)
        assert infer(client).status == 413
        client.model.close()

    def test_more_than_fits_is_refused_before_it_is_read(self) -> None:
        client = Client(max_pending_bytes=10)
        assert (infer(client).status, infer(client).code) == (503, "model-busy")
        client.model.close()

    def test_a_body_that_does_not_come(self) -> None:
        client = Client(body_seconds=0.05)
        reply = infer(client, messages=[{"type": "http.request", "body": BODY[:5], "more_body": True}])
        assert (reply.status, reply.code) == (400, "body-timeout")
        client.model.close()


class TestClientsThatLeave:
    def test_before_the_body_is_there(self, client: Client) -> None:
        messages = [{"type": "http.disconnect"}]
        assert client.send("POST", "/v2/models/risk/infer", BODY, messages=messages) is None
        assert not client.runtime.asked

    def test_while_they_wait(self, client: Client) -> None:
        client.runtime.gate = threading.Event()
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": BODY},
            {"type": "http.disconnect"},
        ]
        assert client.send("POST", "/v2/models/risk/infer", BODY, messages=messages) is None
        client.runtime.gate.set()


class TestReceipts:
    def test_an_answer_brings_its_receipt_and_its_salts(self, client: Client) -> None:
        asked = json.loads(BODY) | {"parameters": {"receipt": True}}
        said = infer(client, json.dumps(asked).encode()).json
        file = ReceiptFile.from_bytes(said["parameters"]["receipt"].encode())
        salts = SaltFile.from_bytes(said["parameters"]["receipt_salts"].encode())
        receipts = verify_receipts(file, OWNER.id)
        before, after = salts.of_row(0)
        assert before is not None
        assert after is not None
        receipts.verify_input(0, before, read_tensors(BODY, "inputs"))
        receipts.verify_output(0, after, read_tensors(json.dumps(said).encode(), "outputs"))
        assert len(client.runtime.asked) == 1

    def test_none_is_given_that_was_not_asked_for(self, client: Client) -> None:
        assert "parameters" not in infer(client).json

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"parameters": {"receipt": "yes"}}, "inference-request"),
            (
                {"parameters": {"receipt": True}, "outputs": [{"name": "probabilities"}]},
                "receipt-outputs",
            ),
        ],
    )
    def test_what_cannot_be_asked(self, client: Client, changes: dict[str, Any], code: str) -> None:
        reply = infer(client, json.dumps(json.loads(BODY) | changes).encode())
        assert (reply.status, reply.code) == (400, code)
        assert client.runtime.asked == []

    @pytest.mark.parametrize(
        "data",
        [b"", b"[]", b"7", b"{}", b'{"inputs": []}', b'{"inputs": 7}', b'{"inputs": [{}]}', b"[" * 9999],
    )
    def test_what_is_no_kept_request(self, data: bytes) -> None:
        with pytest.raises(Error) as caught:
            read_tensors(data, "inputs")
        assert caught.value.code == "inference-request"
