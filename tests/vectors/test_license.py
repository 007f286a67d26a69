"""Every vector of spec/license.md gives exactly its outcome."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from strongroom._encoding import from_hex, from_instant
from strongroom.crypto.hpke import SealingSecret
from strongroom.errors import (
    Error,
    FormatError,
    IntegrityError,
    LicenseDenied,
    NoMatchingKey,
    VerificationError,
)
from strongroom.keys.owner import Owner, OwnerChain, verify_owner_chain
from strongroom.license.derivation import DerivationRecord, verify_derivation
from strongroom.license.describe import describe_license
from strongroom.license.documents import KINDS, Derivation, KeyRelease, OfflineFile, PassphraseFile
from strongroom.license.evaluate import evaluate
from strongroom.license.key_binding import (
    KeyBinding,
    unwrap_derivation,
    unwrap_offline,
    unwrap_with_passphrase,
)
from strongroom.license.license_file import LicenseFile, VerifiedLicense, verify_license_file
from strongroom.license.request import Authority, AuthorityKind, Facts, Level, Request, Right
from strongroom.license.signing import verify_by_key, verify_by_owner
from strongroom.license.verdict import Denied, OutputPolicy, raise_denied

VECTORS = Path(__file__).parent.parent.parent / "spec" / "vectors"
FOLDER = VECTORS / "license"
SUFFIX = ".vector"

OUTCOMES: dict[str, type[Error]] = {
    "format": FormatError,
    "verification": VerificationError,
    "integrity": IntegrityError,
    "no-match": NoMatchingKey,
    "denied": LicenseDenied,
}
Results = dict[str, str]


@dataclass(frozen=True, slots=True)
class Vector:
    """One vector: a header of ``name: value`` lines, then the bytes of the case."""

    name: str
    header: Results
    data: bytes

    @property
    def pinned(self) -> Owner:
        """Return the owner whose chain is in a vector of spec/keys.md."""
        _, _, data = (VECTORS / "keys" / f"{self.header['pinned']}{SUFFIX}").read_bytes().partition(b"\n\n")
        return verify_owner_chain(OwnerChain.from_bytes(data))


def read_vector(name: str) -> Vector:
    head, _, data = (FOLDER / f"{name}{SUFFIX}").read_bytes().partition(b"\n\n")
    return Vector(name, dict(line.split(": ", 1) for line in head.decode().splitlines()), data)


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def read_file(vector: Vector) -> VerifiedLicense:
    file = LicenseFile.from_bytes(vector.data)
    assert file.to_bytes() == vector.data
    return verify_license_file(file, vector.pinned)


def check_file(vector: Vector) -> Results:
    verified = read_file(vector)
    return {
        "chain": " ".join(verified.chain.ids),
        "holder": verified.chain.holder.name,
        "accepted": " ".join(verified.accepted) or "none",
    }


def check_token(vector: Vector) -> Results:
    kind = next(kind for kind in KINDS if vector.header["kind"] == kind.NAME)
    token = vector.data.decode()
    if "key" in vector.header:
        return {"id": verify_by_key(token, kind, vector.header["key"]).id}
    return {"id": verify_by_owner(token, kind, vector.pinned).id}  # type: ignore[type-var] # of an owner, by its kind


def check_decision(vector: Vector) -> Results:
    verified = read_file(vector)
    wanted, known = json.loads(vector.header["request"]), json.loads(vector.header["facts"])
    chain, offline = verified.chain, verified.offline[0]
    request = Request(
        right=Right(wanted["right"]),
        owner=chain.owner,
        name=wanted["name"],
        version=wanted["version"],
        package_digest=offline.document.package,
        level=Level.LOCAL,
        runtime=offline.document.runtime,
        predictions=wanted["predictions"],
    )
    authority = Authority(
        kind=AuthorityKind.OFFLINE,
        id=offline.id,
        license=offline.document.license,
        runtime=offline.document.runtime,
        package=offline.document.package,
        issued_at=offline.document.issued_at,
        not_after=offline.document.not_after,
        budget=offline.document.budget,
    )
    facts = Facts(
        authority=authority if known["authority"] else None,
        accepted=dict.fromkeys(chain.ids) if known["accepted"] else {},
        revoked=frozenset(chain.ids) if known["revoked"] else frozenset(),
        clock_mark=None if known["clock_mark"] is None else from_instant(known["clock_mark"]),
        version_mark=known["version_mark"],
    )
    verdict = evaluate(chain, request, facts, from_instant(vector.header["at"]))
    if isinstance(verdict, Denied):
        raise_denied(verdict)
    return {"output": described(verdict.output)}


def described(output: OutputPolicy) -> str:
    return "full" if output == OutputPolicy() else f"decimals={output.decimals}"


def check_unwrap(vector: Vector) -> Results:
    token, owner = vector.data.decode(), vector.pinned
    if "passphrase" in vector.header:
        file = verify_by_owner(token, PassphraseFile, owner).document
        key = unwrap_with_passphrase(file, vector.header["passphrase"], binding(vector, file))
    elif vector.header.get("kind") == "derivation":
        derivation = verify_by_key(token, Derivation, vector.header["key"]).document
        secret = SealingSecret.from_bytes(from_hex(vector.header["sealing"]))
        key = unwrap_derivation(derivation, secret, binding(vector, derivation))
    else:
        offline = verify_by_owner(token, OfflineFile, owner).document
        secret = SealingSecret.from_bytes(from_hex(vector.header["sealing"]))
        key = unwrap_offline(offline, secret, binding(vector, offline))
    return {"content_key": key.hex()}


def binding(vector: Vector, said: KeyRelease | Derivation) -> KeyBinding:
    return KeyBinding(
        license=vector.header["license"],
        runtime=vector.header.get("runtime"),
        package=said.package,
        package_id=said.package_id,
    )


def check_record(vector: Vector) -> Results:
    verified = verify_derivation(DerivationRecord.from_bytes(vector.data), vector.pinned)
    return {
        "id": verified.signed.id,
        "holder": verified.chain.holder.name,
        "package": verified.document.package,
    }


CHECKS: dict[str, Callable[[Vector], Results]] = {
    "file": check_file,
    "token": check_token,
    "decision": check_decision,
    "unwrap": check_unwrap,
    "record": check_record,
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
    if vector.header["expect"] == "denied":
        assert outcome.value.code == vector.header["code"]


def test_there_is_a_good_and_a_bad_vector_for_every_check() -> None:
    seen = {
        (vector.header["check"], vector.header["expect"] == "success") for vector in map(read_vector, names())
    }
    assert seen == {(check, good) for check in CHECKS for good in (True, False)}
    assert {read_vector(name).header["expect"] for name in names()} == {"success", *OUTCOMES}


def test_every_kind_of_document_has_a_vector() -> None:
    kinds = {read_vector(name).header.get("kind") for name in names() if name.startswith("success-token")}
    assert kinds == {kind.NAME for kind in KINDS}


def test_the_specification_shows_what_the_vectors_hold() -> None:
    text = (VECTORS.parent / "license.md").read_text(encoding="utf-8")
    verified = read_file(read_vector("success-file-license"))
    shown = re.search(r"```json\n(.*?)\n```", text, re.DOTALL)
    assert shown is not None
    token = LicenseFile.from_bytes(read_vector("success-file-license").data).license
    payload = base64.urlsafe_b64decode(token.split(".")[1] + "==")
    assert shown[1] == json.dumps(json.loads(payload), ensure_ascii=False, indent=2)
    sentences = [f"{label}: {sentence}" for label, sentence in describe_license(verified.chain)]
    assert "```\n" + "\n".join(sentences) + "\n```\n" in text


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_license", VECTORS / "generate_license.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generator_writes_these_files_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    generator = _generator()
    monkeypatch.setattr(generator, "FOLDER", tmp_path / "license")
    generator.main()
    written = {path.name: path.read_bytes() for path in (tmp_path / "license").iterdir()}
    committed = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert written.keys() == committed.keys()
    assert [name for name in written if written[name] != committed[name]] == []


def test_the_generator_is_independent() -> None:
    for path in VECTORS.glob("*license*.py"):
        assert not re.search(r"^\s*(from|import) strongroom", path.read_text(encoding="utf-8"), re.MULTILINE)
