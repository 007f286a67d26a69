"""Who asks: every lie that a request can tell about it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey

from strongroom._encoding import canonical_json, from_base64url, to_base64url
from strongroom.broker.http import access_token
from strongroom.broker.http.access_token import AccessTokens
from strongroom.broker.http.auth import Head
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.crypto import dpop, jws
from strongroom.founding import rotate
from strongroom.keys.assertion import ClientAssertion
from strongroom.keys.identity import member_id
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import Role as OwnerRole
from strongroom.keys.text import KeyKind
from strongroom.protocol.broker import ReasonAsk
from tests.unit.broker.http.wire import URL, Asker, Wire, code_of
from tests.unit.broker.services.hospital import Clinic, World

MEMBERS = "/members"
PATH = "/v1/members"


class TestHonest:
    def test_a_member_of_the_owner(self, admin: Asker) -> None:
        answer = admin.send("GET", MEMBERS)
        assert answer.status_code == 200
        assert [each["role"] for each in answer.json()["members"]] == ["admin"]
        assert "DPoP-Nonce" in answer.headers

    def test_a_member_of_a_partner(self, manager: Asker) -> None:
        assert manager.send("GET", MEMBERS).json()["members"][0]["role"] == "manager"

    def test_a_runtime(self, runtime: Asker) -> None:
        assert runtime.send("GET", "/packages").status_code == 200

    def test_the_token_answer(self, admin: Asker) -> None:
        answer = admin.ask_token().json()
        assert answer["token_type"] == "DPoP"
        assert answer["expires_in"] == 300
        claims = json.loads(jws.read_unverified(answer["access_token"]).payload)
        assert claims["cnf"] == {"jkt": dpop.thumbprint(admin.key.public)}
        assert claims["sub"] == admin.subject

    def test_a_token_serves_for_many_requests(self, admin: Asker) -> None:
        assert [admin.send("GET", MEMBERS).status_code for _ in range(3)] == [200, 200, 200]


class TestProofs:
    def test_none_at_all(self, admin: Asker) -> None:
        answer = admin.wire.client.get(PATH, headers={"Authorization": f"DPoP {admin.token}"})
        assert answer.status_code == 401
        assert code_of(answer) == "proof-missing"
        assert answer.headers["WWW-Authenticate"] == 'DPoP error="invalid_dpop_proof", algs="ES256"'

    def test_two(self, admin: Asker) -> None:
        proofs = [("DPoP", admin.proof("GET", PATH, access_token=admin.token)) for _ in range(2)]
        answer = admin.wire.client.get(PATH, headers=[("Authorization", f"DPoP {admin.token}"), *proofs])
        assert code_of(answer) == "proof-missing"

    def test_a_replay(self, admin: Asker) -> None:
        proof = admin.proof("GET", PATH, access_token=admin.token)
        assert admin.send("GET", MEMBERS, headers={"DPoP": proof}).status_code == 200
        answer = admin.send("GET", MEMBERS, headers={"DPoP": proof})
        assert answer.status_code == 401
        assert code_of(answer) == "proof-replayed"

    def test_a_replay_with_another_spelling_of_the_signature(self, admin: Asker) -> None:
        """Anybody can turn s into n - s: the id is what is remembered, and not the text."""
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        proof = admin.proof("GET", PATH, access_token=admin.token)
        unverified = proof.rpartition(".")
        raw = from_base64url(unverified[2])
        other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
        twin = f"{unverified[0]}.{to_base64url(other)}"
        assert admin.send("GET", MEMBERS, headers={"DPoP": proof}).status_code == 200
        assert code_of(admin.send("GET", MEMBERS, headers={"DPoP": twin})) == "proof-replayed"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"method": "POST"}, "proof-method"),
            ({"url": URL + "/v1/licenses"}, "proof-url"),
            ({"url": "https://evil.example/v1/members"}, "proof-url"),
            ({"access_token": "another"}, "proof-token"),
            ({"access_token": None}, "proof-token"),
            ({"nonce": None}, "use-dpop-nonce"),
            ({"nonce": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, "use-dpop-nonce"),
        ],
    )
    def test_a_lie(self, admin: Asker, changes: dict[str, Any], code: str) -> None:
        options = {"access_token": admin.token, **changes}
        proof = admin.proof(options.pop("method", "GET"), PATH, **options)
        answer = admin.send("GET", MEMBERS, headers={"DPoP": proof})
        assert answer.status_code == 401
        assert code_of(answer) == code

    @pytest.mark.parametrize("seconds", [-301, 301])
    def test_a_stale_one(self, admin: Asker, seconds: int) -> None:
        moment = admin.now + timedelta(seconds=seconds)
        proof = admin.proof("GET", PATH, access_token=admin.token, issued_at=moment)
        assert code_of(admin.send("GET", MEMBERS, headers={"DPoP": proof})) == "proof-stale"

    def test_the_nonce_of_another_process(self, admin: Asker) -> None:
        other = Wire(admin.wire.world)
        nonce = other.member(admin.wire.world.home).nonce()
        proof = admin.proof("GET", PATH, access_token=admin.token, nonce=nonce)
        answer = admin.send("GET", MEMBERS, headers={"DPoP": proof})
        assert code_of(answer) == "use-dpop-nonce"
        assert answer.json()["error"] == "use_dpop_nonce"
        fresh = answer.headers["DPoP-Nonce"]
        good = admin.proof("GET", PATH, access_token=admin.token, nonce=fresh)
        assert admin.send("GET", MEMBERS, headers={"DPoP": good}).status_code == 200

    def test_a_token_of_another_process_is_good_here(self, admin: Asker) -> None:
        """What makes replicas work: only nonces are a process's own."""
        other = Wire(admin.wire.world).member(admin.wire.world.home)
        other._token = admin.token
        assert other.send("GET", MEMBERS).status_code == 200

    def test_another_key(self, admin: Asker) -> None:
        thief = Asker(admin.wire, SigningKey.generate(KeyKind.MEMBER), admin.subject)
        thief._token = admin.token
        answer = thief.send("GET", MEMBERS)
        assert answer.status_code == 401
        assert code_of(answer) == "proof-key"

    @pytest.mark.parametrize(
        "headers",
        [
            {"Host": "evil.example"},
            {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
            {"Forwarded": "host=evil.example;proto=https"},
            {"X-Original-URL": "/v1/licenses"},
        ],
    )
    def test_lying_headers_change_nothing(self, admin: Asker, headers: dict[str, str]) -> None:
        """Neither do they make a good proof bad, nor one for another address good."""
        assert admin.send("GET", MEMBERS, headers=headers).status_code == 200
        proof = admin.proof("GET", PATH, access_token=admin.token, url="https://evil.example/v1/members")
        answer = admin.send("GET", MEMBERS, headers={**headers, "DPoP": proof})
        assert code_of(answer) == "proof-url"

    def test_a_key_with_its_private_part(self, admin: Asker) -> None:
        secret = to_base64url(admin.key.secret.to_bytes())
        public = ECKey.import_key(admin.key.public.to_pem()).as_dict(private=False)
        jwk = {name: public[name] for name in ("kty", "crv", "x", "y")} | {"d": secret}
        head = to_base64url(json.dumps({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}).encode())
        proof = f"{head}.{to_base64url(b'{}')}.{to_base64url(bytes(64))}"
        answer = admin.send("GET", MEMBERS, headers={"DPoP": proof})
        assert code_of(answer) == "proof-format"
        assert secret not in answer.text
        assert secret not in admin.wire.log.getvalue()


class TestTokens:
    def test_none(self, wire: Wire) -> None:
        answer = wire.stranger("GET", MEMBERS)
        assert answer.status_code == 401
        assert code_of(answer) == "token-missing"

    def test_two(self, admin: Asker) -> None:
        header = ("Authorization", f"DPoP {admin.token}")
        answer = admin.wire.client.get(PATH, headers=[header, header])
        assert code_of(answer) == "token-missing"

    @pytest.mark.parametrize("scheme", ["Bearer", "Basic", "", "DPoPX"])
    def test_another_scheme(self, admin: Asker, scheme: str) -> None:
        answer = admin.send("GET", MEMBERS, headers={"Authorization": f"{scheme} {admin.token}"})
        assert code_of(answer) == "token-scheme"

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 3000])
    def test_what_is_none(self, admin: Asker, token: str) -> None:
        answer = admin.send("GET", MEMBERS, headers={"Authorization": f"DPoP {token}"})
        assert answer.status_code == 401
        assert code_of(answer) == "token-format"

    def test_an_expired_one(self, admin: Asker) -> None:
        _ = admin.token
        admin.wire.world.watch.time += timedelta(seconds=300)
        answer = admin.send("GET", MEMBERS)
        assert code_of(answer) == "token-expired"
        assert answer.headers["WWW-Authenticate"].startswith('DPoP error="invalid_token"')

    def test_one_from_the_future(self, admin: Asker) -> None:
        _ = admin.token
        admin.wire.world.watch.time -= timedelta(seconds=120)
        assert code_of(admin.send("GET", MEMBERS)) == "token-expired"

    def test_one_of_another_owner(self, admin: Asker, tmp_path_factory: pytest.TempPathFactory) -> None:
        other = World(tmp_path_factory.mktemp("other"))
        stolen = Wire(other).member(other.home).token
        other.close()
        admin._token = stolen
        answer = admin.send("GET", MEMBERS)
        assert answer.status_code == 401
        assert code_of(answer) == "wrong-signer"

    def test_one_for_another_address(self, admin: Asker) -> None:
        world = admin.wire.world
        principal = Principal(
            organization=world.keys.owner_id, id=admin.subject, kind=PrincipalKind.MEMBER, role=Role.ADMIN
        )
        elsewhere = AccessTokens(world.keys, "https://elsewhere.example")
        admin._token = elsewhere.issue(principal, dpop.thumbprint(admin.key.public), admin.now)
        assert code_of(admin.send("GET", MEMBERS)) == "token-audience"

    @pytest.mark.parametrize(
        ("organization", "bound", "code"),
        [("own-" + "b" * 24, True, "unknown-principal"), (None, False, "proof-key")],
    )
    def test_one_that_does_not_fit_its_holder_any_more(
        self, admin: Asker, organization: str | None, bound: bool, code: str
    ) -> None:
        """Another organization, or another key: what is known here now decides, and not the token."""
        world = admin.wire.world
        principal = Principal(
            organization=organization or world.keys.owner_id,
            id=admin.subject,
            kind=PrincipalKind.MEMBER,
            role=Role.ADMIN,
        )
        key = admin.key if bound else SigningKey.generate(KeyKind.MEMBER)
        tokens = AccessTokens(world.keys, URL)
        admin._token = tokens.issue(principal, dpop.thumbprint(key.public), admin.now)
        assert code_of(admin.send("GET", MEMBERS)) == code

    def test_one_that_its_own_holder_signed(self, admin: Asker) -> None:
        payload = jws.read_unverified(admin.token).payload
        admin._token = jws.sign("at+jwt", payload, admin.key.secret)
        assert code_of(admin.send("GET", MEMBERS)) == "wrong-signer"

    def test_an_altered_one(self, admin: Asker) -> None:
        head, payload, signature = admin.token.split(".")
        forged = json.loads(from_base64url(payload))
        forged["org"] = "org-" + "a" * 24
        admin._token = f"{head}.{to_base64url(canonical_json(forged))}.{signature}"
        assert code_of(admin.send("GET", MEMBERS)) == "signature"

    def test_an_assertion_is_no_token(self, admin: Asker) -> None:
        admin._token = admin.assertion()
        assert code_of(admin.send("GET", MEMBERS)) == "token-format"

    def test_one_of_somebody_who_was_removed(self, world: World, admin: Asker) -> None:
        second = SigningKey.generate(KeyKind.MEMBER)
        ask = {"key": second.public_text, "name": "b.second", "role": "admin"}
        assert admin.send("POST", MEMBERS, json=ask).status_code == 200
        asker = Asker(admin.wire, second, member_id(second.public))
        assert asker.send("GET", MEMBERS).status_code == 200
        assert admin.send("DELETE", f"/members/{asker.subject}").status_code == 200
        answer = asker.send("GET", MEMBERS)
        assert answer.status_code == 401
        assert code_of(answer) == "unknown-principal"

    def test_one_of_a_partner_that_was_suspended(self, world: World, clinic: Clinic, manager: Asker) -> None:
        assert manager.send("GET", MEMBERS).status_code == 200
        world.partners.suspend(world.admin, clinic.organization, ReasonAsk(reason="a theft"))
        answer = manager.send("GET", MEMBERS)
        assert answer.status_code == 403
        assert code_of(answer) == "partner-suspended"


class TestAskingForTokens:
    def test_without_a_nonce(self, admin: Asker) -> None:
        answer = admin.ask_token(proof=admin.proof("POST", "/v1/token", nonce=None))
        assert answer.status_code == 400
        assert answer.json()["error"] == "use_dpop_nonce"
        assert code_of(answer) == "use-dpop-nonce"
        assert answer.headers["DPoP-Nonce"]

    def test_a_replayed_proof(self, admin: Asker) -> None:
        proof = admin.proof("POST", "/v1/token")
        assert admin.ask_token(proof=proof).status_code == 200
        assert code_of(admin.ask_token(proof=proof)) == "proof-replayed"

    def test_a_proof_by_another_key(self, admin: Asker) -> None:
        other = Asker(admin.wire, SigningKey.generate(KeyKind.MEMBER), admin.subject)
        answer = admin.ask_token(proof=other.proof("POST", "/v1/token"))
        assert answer.status_code == 400
        assert code_of(answer) == "proof-key"

    def test_another_owners_broker(self, admin: Asker) -> None:
        answer = admin.ask_token(owner="own-" + "b" * 24)
        assert answer.status_code == 401
        assert code_of(answer) == "assertion-audience"

    def test_another_address(self, admin: Asker) -> None:
        assert code_of(admin.ask_token(audience="https://evil.example")) == "assertion-audience"

    def test_a_stale_assertion(self, admin: Asker) -> None:
        answer = admin.ask_token(now=admin.now - timedelta(seconds=361))
        assert code_of(answer) == "assertion-stale"

    def test_unknown_and_wrong_are_told_apart_by_nobody(self, admin: Asker, runtime: Asker) -> None:
        """Neither whether an id is known, nor whether it is a member or a runtime."""
        thief = SigningKey.generate(KeyKind.MEMBER)
        answers = [
            Asker(admin.wire, thief, subject).ask_token()
            for subject in (
                admin.subject,
                runtime.subject,
                "mem-" + "a" * 24,
                "run-" + "a" * 24,
                "x",
                "mem-\0",
                admin.subject.replace("mem-", "run-"),
            )
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        assert code_of(answers[0]) == "unknown-principal"

    def test_somebody_who_waits_for_approval(self, world: World, wire: Wire) -> None:
        waiting = world.joined("practice")
        world.enroll(waiting)
        answer = wire.runtime(waiting.home).ask_token()
        assert answer.status_code == 403
        assert code_of(answer) == "partner-pending"

    @pytest.mark.parametrize(
        "form",
        [
            {"grant_type": "password"},
            {"client_assertion_type": "urn:other"},
            {"client_assertion": ""},
            {"client_assertion": "a.b.c"},
        ],
    )
    def test_another_form(self, admin: Asker, form: dict[str, str]) -> None:
        answer = admin.ask_token(form=form)
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_request"

    def test_a_document_of_another_kind(self, admin: Asker) -> None:
        payload = ClientAssertion.make(
            subject=admin.subject, owner=admin.wire.world.keys.owner_id, audience=URL, now=admin.now
        ).to_bytes()
        other = jws.sign("strongroom-acceptance+jws", payload, admin.key.secret)
        assert code_of(admin.ask_token(form={"client_assertion": other})) == "assertion-format"

    @pytest.mark.parametrize(
        "body", [b"", b"a", b"a=1&a=2", b"\xff=1", b"&".join([b"a%d=1" % n for n in range(20)])]
    )
    def test_what_is_no_form(self, wire: Wire, body: bytes) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = wire.client.post("/v1/token", content=body, headers=headers)
        assert answer.status_code == 400
        assert code_of(answer) == "token-request"

    def test_json_is_no_form(self, wire: Wire) -> None:
        answer = wire.client.post("/v1/token", json={"grant_type": "client_credentials"})
        assert answer.status_code == 415

    def test_missing_fields(self, wire: Wire) -> None:
        answer = wire.client.post("/v1/token", data={"grant_type": "client_credentials"})
        assert code_of(answer) == "token-request"


class TestKeysOfTheBroker:
    def test_a_retired_broker_key_ends_its_tokens(self, world: World, admin: Asker) -> None:
        assert admin.send("GET", MEMBERS).status_code == 200
        rotate(world.home, now=world.watch.time, renew=[OwnerRole.BROKER])
        world.watch.time += timedelta(seconds=61)
        assert code_of(admin.send("GET", MEMBERS)) == "wrong-signer"
        admin._token = None
        assert admin.send("GET", MEMBERS).status_code == 200

    def test_the_memory_of_tokens_has_a_bound(self, admin: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(access_token, "_MAX_KEPT", 1)
        for _ in range(2):
            admin._token = None
            assert admin.send("GET", MEMBERS).status_code == 200

    def test_reprs_show_no_token(self, admin: Asker) -> None:
        head = Head(method="GET", path="/v1/x", authorization=[f"DPoP {admin.token}"], proofs=["secret"])
        assert repr(head) == "Head('GET', '/v1/x')"
