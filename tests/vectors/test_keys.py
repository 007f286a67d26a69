"""Every vector of spec/keys.md gives exactly its outcome."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from strongroom._encoding import from_instant
from strongroom.errors import Error, FormatError, NoMatchingKey, VerificationError
from strongroom.keys import key_file
from strongroom.keys.intake import verify_intake_certificate
from strongroom.keys.introduction import verify_enrollment, verify_invite, verify_stored_enrollment
from strongroom.keys.key_pair import (
    from_secret_text,
    role_public_from_text,
    sealing_public_from_text,
    signing_public_from_text,
)
from strongroom.keys.member import verify_member_certificate
from strongroom.keys.owner import Owner, OwnerChain, Role, verify_newer, verify_owner_chain
from strongroom.keys.text import KeyKind, secret_from_text
from strongroom.keys.witness_key import witness_public_from_text

VECTORS = Path(__file__).parent.parent.parent / "spec" / "vectors"
FOLDER = VECTORS / "keys"
SUFFIX = ".vector"

OUTCOMES: dict[str, type[Error]] = {
    "format": FormatError,
    "verification": VerificationError,
    "no-match": NoMatchingKey,
}
Results = dict[str, str]


@dataclass(frozen=True, slots=True)
class Vector:
    """One vector: a header of ``name: value`` lines, then the bytes of the case."""

    name: str
    header: Results
    data: bytes

    @property
    def kind(self) -> KeyKind:
        """Return the kind of key that the reader expects."""
        return KeyKind(self.header["kind"])

    @property
    def pinned(self) -> Owner:
        """Return the owner whose chain is in another vector."""
        return verify_owner_chain(OwnerChain.from_bytes(read_vector(self.header["pinned"]).data))


def read_vector(name: str) -> Vector:
    head, _, data = (FOLDER / f"{name}{SUFFIX}").read_bytes().partition(b"\n\n")
    return Vector(name, dict(line.split(": ", 1) for line in head.decode().splitlines()), data)


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def read_public_text(vector: Vector) -> Results:
    text = vector.data.decode()
    if vector.kind is KeyKind.SEALING:
        return {"raw": sealing_public_from_text(text).to_bytes().hex()}
    if vector.kind is KeyKind.WITNESS:
        return {"raw": witness_public_from_text(text).to_bytes().hex()}
    return {"raw": role_public_from_text(text, vector.kind).to_bytes().hex()}


def read_secret_text(vector: Vector) -> Results:
    text = vector.data.decode()
    from_secret_text(text, vector.kind)
    return {"raw": secret_from_text(text, vector.kind).hex()}


def open_key_file(vector: Vector) -> Results:
    passphrase = vector.header.get("passphrase")
    ask = None if passphrase is None else lambda: passphrase
    return {"public": key_file.from_bytes(vector.data, vector.kind, passphrase=ask).public_text}


def verify_chain(vector: Vector) -> Results:
    owner = verify_owner_chain(OwnerChain.from_bytes(vector.data))
    at = from_instant(vector.header["at"])
    keys = {
        role.value: " ".join(sorted(key.key_id for key in owner.keys_for(role, at))) or "none"
        for role in (Role.BROKER, Role.LICENSE, Role.PACKAGE)
    }
    keys["log"] = " ".join(sorted(key.key_id for key in owner.log_keys(at))) or "none"
    return {"owner": owner.id, "version": str(owner.version), **keys}


def update_chain(vector: Vector) -> Results:
    return {"version": str(verify_newer(vector.pinned, OwnerChain.from_bytes(vector.data)).version)}


def read_invite(vector: Vector) -> Results:
    invite = verify_invite(vector.data, from_instant(vector.header["at"]))
    return {
        "owner": invite.owner.id,
        "partner": invite.document.partner,
        "serial": invite.document.serial,
        **({} if invite.document.broker is None else {"broker": invite.document.broker.url}),
    }


def read_enrollment(vector: Vector) -> Results:
    enrollment = verify_enrollment(vector.data, vector.pinned, from_instant(vector.header["at"]))
    assert verify_stored_enrollment(vector.data, vector.pinned) == enrollment
    return {
        "partner": enrollment.document.partner,
        "runtime": enrollment.document.runtime,
        "fingerprint": enrollment.fingerprint,
    }


def read_member(vector: Vector) -> Results:
    organization = signing_public_from_text(vector.header["organization"], KeyKind.ORGANIZATION)
    member = verify_member_certificate(
        vector.data.decode(),
        organization,
        owner=vector.header["owner"],
        now=from_instant(vector.header["at"]),
    )
    return {"member": member.id, "name": member.document.name, "role": member.document.role.value}


def read_intake(vector: Vector) -> Results:
    token = vector.data.decode()
    intake = verify_intake_certificate(token, vector.pinned, from_instant(vector.header["at"]))
    assert sealing_public_from_text(intake.document.intake) == intake.public
    return {"intake": intake.document.intake}


CHECKS: dict[str, Callable[[Vector], Results]] = {
    "public-text": read_public_text,
    "secret-text": read_secret_text,
    "key-file": open_key_file,
    "chain": verify_chain,
    "update": update_chain,
    "invite": read_invite,
    "enrollment": read_enrollment,
    "member": read_member,
    "intake": read_intake,
}


@pytest.mark.parametrize("name", names())
def test_vector(name: str) -> None:
    vector = read_vector(name)
    check = CHECKS[vector.header["check"]]
    if vector.header["expect"] == "success":
        results = check(vector)
        assert results == {member: vector.header[member] for member in results}
        return
    with pytest.raises(Error) as outcome:
        check(vector)
    assert type(outcome.value) is OUTCOMES[vector.header["expect"]]


def test_there_is_a_good_and_a_bad_vector_for_every_check() -> None:
    seen = {
        (vector.header["check"], vector.header["expect"] == "success") for vector in map(read_vector, names())
    }
    assert seen == {(check, good) for check in CHECKS for good in (True, False)}
    assert {read_vector(name).header["expect"] for name in names()} == {"success", *OUTCOMES}


def test_a_vector_is_named_by_its_outcome() -> None:
    for vector in map(read_vector, names()):
        assert vector.name.startswith(vector.header["expect"])
        assert list(vector.header)[:3] == ["check", "expect", "comment"]


def test_the_specification_shows_what_the_vectors_hold() -> None:
    text = (VECTORS.parent / "keys.md").read_text(encoding="utf-8")
    assert read_vector("success-key-file-device").data.decode() in text
    assert read_vector("success-public-device").data.decode() in text
    assert read_vector("success-secret-device").data.decode() in text
    assert read_vector("success-enrollment").header["fingerprint"] in text
    shown = re.search(r"```json\n(.*?)\n```", text, re.DOTALL)
    assert shown is not None
    compact = re.sub(r"\s+", "", shown[1]).encode()
    assert compact == OwnerChain.from_bytes(read_vector("success-chain-one-version").data).payloads[0]


def _generator() -> ModuleType:
    path = VECTORS / "generate_keys.py"
    spec = importlib.util.spec_from_file_location("generate_keys", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generator_writes_these_files_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    generator = _generator()
    monkeypatch.setattr(generator, "FOLDER", tmp_path / "keys")
    generator.main()
    written = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    committed = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert written.keys() == committed.keys()
    assert [name for name in written if written[name] != committed[name]] == []


def test_the_generator_is_independent() -> None:
    for path in VECTORS.glob("*key*.py"):
        assert not re.search(r"^\s*(from|import) strongroom", path.read_text(encoding="utf-8"), re.MULTILINE)
