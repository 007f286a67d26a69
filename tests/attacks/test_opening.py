"""Everyone else is refused: each test is a claim of the README, and an honest attempt to make it false."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from strongroom._encoding import from_base64, from_base64url, to_base64url
from strongroom.accepting import accept, pull, read_offer
from strongroom.crypto import segment
from strongroom.errors import (
    Error,
    FormatError,
    IntegrityError,
    LicenseDenied,
    NoMatchingKey,
    ObjectNotFound,
    VerificationError,
)
from strongroom.founding import own_owner
from strongroom.granting import Granted
from strongroom.home.home import Home
from strongroom.keys.identity import runtime_id
from strongroom.keys.owner import Role
from strongroom.keys.text import KeyKind
from strongroom.license.key_binding import KeyBinding, unwrap_offline
from strongroom.license.license_file import LicenseFile, verify_license_file
from strongroom.license.period import Period
from strongroom.license.terms import Expires, Predictions
from strongroom.opening import open_model
from strongroom.package.names import Version
from strongroom.package.reader import PackageReader
from strongroom.package.statement import signer
from strongroom.package.writer import PackageWriter
from strongroom.storage.local import LocalSource
from strongroom.storage.memory import MemorySource
from tests.parties import accept_at, enroll, found_owner, found_partner, grant_to, right_now, seal_model


class Scene:
    """A hospital, a clinic with a license, and a competitor that is a partner too."""

    def __init__(self, folder: Path) -> None:
        self.hospital = found_owner(folder, "hospital")
        self.clinic = found_partner(folder, "clinic")
        self.competitor = found_partner(folder, "competitor")
        enroll(self.hospital, self.clinic)
        enroll(self.hospital, self.competitor)
        self.sealed = seal_model(self.hospital)
        self.owner_id = self.hospital.vault.verify_owner_id()
        self.granted = grant_to(self.hospital, "clinic", terms=[Predictions(limit=50, per=Period.DAY)])
        accept_at(self.clinic, self.granted)

    @property
    def clinics_package(self) -> Path:
        return self.clinic.catalog.packages.find(self.owner_id, "risk").path

    def replace_package(self, data: bytes) -> None:
        """Put other bytes where the clinic's package lies, as whoever can write there might."""
        self.clinics_package.write_bytes(data)

    def open(self, home: Home | None = None) -> object:
        return open_model(home or self.clinic, "risk", now=right_now())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    made.open()
    return made


def refused(attempt: Callable[[], object], *kinds: type[Error]) -> Error:
    with pytest.raises(kinds) as caught:
        attempt()
    assert str(caught.value)
    return caught.value


def steal_into(scene: Scene) -> None:
    """Copy everything the clinic received into the competitor's home, acceptance included."""
    for folder in ("licenses", "packages"):
        shutil.copytree(scene.clinic.path / folder, scene.competitor.path / folder, dirs_exist_ok=True)


def test_a_stolen_license_does_not_open_in_another_home(scene: Scene) -> None:
    refused(lambda: read_offer(scene.competitor, scene.granted.file), VerificationError)
    steal_into(scene)
    error = refused(lambda: scene.open(scene.competitor), LicenseDenied)
    assert error.code == "no-authority"


def test_a_competitors_keys_unwrap_nothing_of_the_clinics(scene: Scene) -> None:
    file = LicenseFile.from_bytes(scene.granted.file)
    verified = verify_license_file(file, own_owner(scene.hospital))
    document = verified.offline[0].document
    keys = scene.competitor.keys
    own_runtime = runtime_id(keys.device(scene.owner_id).public)
    for runtime in (document.runtime, own_runtime):
        binding = KeyBinding(
            license=document.license,
            runtime=runtime,
            package=document.package,
            package_id=document.package_id,
        )
        refused(
            lambda binding=binding: unwrap_offline(document, keys.sealing(scene.owner_id).secret, binding),  # type: ignore[misc] # a default binds the loop's value
            IntegrityError,
            VerificationError,
        )


def test_the_package_alone_opens_with_no_key_of_ones_own(scene: Scene) -> None:
    owner = own_owner(scene.hospital)
    with LocalSource(scene.sealed.path) as source:
        reader = PackageReader.open(source, owner.keys_for(Role.PACKAGE, right_now()), owner=owner.id)
        refused(lambda: reader.unlock(segment.generate_key()), NoMatchingKey, IntegrityError)


def edit_license(file: LicenseFile, edit: Callable[[bytes], bytes]) -> bytes:
    """Edit the signed payload of a license and leave header and signature as they are."""
    head, payload, signature = file.license.split(".")
    edited = edit(from_base64url(payload))
    assert edited != from_base64url(payload)
    token = f"{head}.{to_base64url(edited)}.{signature}"
    return LicenseFile(
        owner=file.owner, license=token, offline=file.offline, agreement=file.agreement
    ).to_bytes()


@pytest.mark.parametrize(
    "edit",
    [
        lambda payload: payload.replace(b'"limit":50', b'"limit":99'),
        lambda payload: payload.replace(b'"at":"2', b'"at":"3'),
        lambda payload: payload.replace(b'"clinic"', b'"clinik"'),
        lambda payload: payload.replace(b'"predict"', b'"export"'),
        lambda payload: payload.replace(b"{", b"{ ", 1),
    ],
    ids=["limit", "expiry", "partner", "right", "a space"],
)
def test_an_edited_license_is_refused(scene: Scene, edit: Callable[[bytes], bytes]) -> None:
    data = edit_license(LicenseFile.from_bytes(scene.granted.file), edit)
    refused(lambda: read_offer(scene.clinic, data), VerificationError, FormatError)
    path = scene.clinic.path / "licenses" / scene.owner_id / f"{scene.granted.license_id}.license"
    path.write_bytes(data)
    refused(scene.open, VerificationError, FormatError, ObjectNotFound)


def test_every_flipped_bit_of_a_license_file_is_refused(scene: Scene) -> None:
    data = scene.granted.file
    step = max(1, len(data) // 97)
    for place in range(0, len(data), step):
        altered = bytearray(data)
        altered[place] ^= 1 << (place % 7)
        refused(lambda altered=altered: read_offer(scene.clinic, bytes(altered)), Error)  # type: ignore[misc] # a default binds the loop's value


def test_an_expired_license_opens_nothing(scene: Scene) -> None:
    end = right_now() + timedelta(minutes=5)
    granted = grant_to(scene.hospital, "competitor", terms=[Expires(at=end)])
    accept_at(scene.competitor, granted)
    open_model(scene.competitor, "risk", now=right_now())
    error = refused(lambda: open_model(scene.competitor, "risk", now=end), LicenseDenied)
    assert error.code == "expired"


def test_every_flipped_byte_of_a_package_is_refused(scene: Scene) -> None:
    data = scene.sealed.path.read_bytes()
    owner = own_owner(scene.hospital)
    keys = owner.keys_for(Role.PACKAGE, right_now())

    def read_all(altered: bytes) -> None:
        PackageReader.open(MemorySource(altered), keys, owner=owner.id).verify_segments()

    read_all(data)
    places = {*range(0, len(data), max(1, len(data) // 61)), *range(len(data) - 300, len(data), 7)}
    for place in sorted(places):
        altered = bytearray(data)
        altered[place] ^= 0x40
        refused(
            lambda altered=altered: read_all(bytes(altered)),  # type: ignore[misc] # a default binds the loop's value
            FormatError,
            IntegrityError,
            VerificationError,
        )


def forge(owner_id: str, name: str, key_home: Home, content_key: bytes) -> bytes:
    """Make a package that says it is by ``owner_id`` and is signed by another owner's key."""
    written = bytearray()

    class Sink:
        def write(self, data: bytes | memoryview, /) -> int:
            written.extend(data)
            return len(data)

    key = key_home.keys.owner_key(
        KeyKind.OWNER_PACKAGE, own_owner(key_home).keys_for(Role.PACKAGE, right_now())
    )
    with LocalSource(package_of(key_home)) as source:
        mine = own_owner(key_home)
        contents = (
            PackageReader.open(source, mine.keys_for(Role.PACKAGE, right_now()), owner=mine.id)
            .unlock(content_key)
            .contents
        )
    with PackageWriter(
        Sink(),
        name=name,
        version=Version(1, 0, 0),
        owner=owner_id,
        created_at=right_now(),
        content_key=segment.generate_key(),
    ) as writer:
        with writer.file("model.skops", 4) as file:
            file.write(b"evil")
        writer.finish(
            loader=type(contents.loader)(name="skops", entry="model.skops", options=contents.loader.options),
            schema=contents.schema,
            bom=contents.bom,
            sign=signer(key.secret),
        )
    return bytes(written)


def package_of(home: Home) -> Path:
    return home.catalog.packages.find(home.vault.verify_owner_id(), "risk").path


def test_another_owners_signature_under_the_right_name_is_refused(tmp_path: Path, scene: Scene) -> None:
    impostor = found_owner(tmp_path, "impostor")
    seal_model(impostor)
    seal = impostor.vault.seals.find("risk")
    key = impostor.vault.content_keys.load(seal.package_id, impostor.keys.key_provider())
    # Its own package, honest about its owner, and one that claims to be the hospital's.
    for data in (package_of(impostor).read_bytes(), forge(scene.owner_id, "risk", impostor, key)):
        scene.replace_package(data)
        refused(scene.open, VerificationError, ObjectNotFound, LicenseDenied)
        other = tmp_path / "risk-1.0.0.sealed"
        other.write_bytes(data)
        refused(lambda other=other: pull(scene.clinic, other), VerificationError, ObjectNotFound)  # type: ignore[misc] # a default binds the loop's value


def test_an_unsigned_package_is_refused(scene: Scene) -> None:
    data = scene.sealed.path.read_bytes()
    start = data.index(b'{"payload":')
    end = data.rindex(b"}]}") + 3
    envelope = data[start:end]
    unsigned = envelope[: envelope.index(b'"signatures":')] + b'"signatures":[]}'
    cut = data[:start] + unsigned + data[end:]
    for attempt in (cut, data[:start] + data[end:], data[:start]):
        scene.replace_package(attempt)
        refused(scene.open, FormatError, VerificationError)


@pytest.mark.parametrize("plain", [b"\x08\x0bskl2onnx model bytes" * 40, b"PK\x03\x04" + bytes(400), b""])
def test_a_plain_model_does_not_open_in_place_of_a_sealed_one(scene: Scene, plain: bytes) -> None:
    scene.replace_package(plain)
    refused(scene.open, FormatError)
    refused(lambda: open_model(scene.clinic, str(scene.clinics_package), now=right_now()), FormatError)


def test_an_older_version_does_not_open_after_a_newer_one(scene: Scene) -> None:
    seal_model(scene.hospital)
    newer = grant_to(scene.hospital, "clinic", "risk@1.1.0")
    accept_at(scene.clinic, newer)
    opening = open_model(scene.clinic, "risk@1.1.0", now=right_now())
    scene.clinic.marks.reserve(opening.chain, opening.request, opening.facts, right_now())
    error = refused(lambda: open_model(scene.clinic, "risk@1.0.0", now=right_now()), LicenseDenied)
    assert error.code == "version-rollback"


def test_nothing_opens_without_the_partners_acceptance(scene: Scene) -> None:
    folder = scene.clinic.path / "licenses" / scene.owner_id
    mine = folder / f"{scene.granted.license_id}.acceptance"
    kept = mine.read_bytes()
    mine.unlink()
    assert refused(scene.open, LicenseDenied).code == "not-accepted"
    # Another party's acceptance, or one of another license, is none.
    other = grant_to(scene.hospital, "competitor")
    accept(scene.competitor, read_offer(scene.competitor, other.file), now=right_now())
    theirs = scene.competitor.catalog.licenses.get(scene.owner_id, other.license_id).acceptance
    assert theirs is not None
    mine.write_text(theirs)
    refused(scene.open, VerificationError)
    mine.write_bytes(kept)
    scene.open()


def test_a_license_is_accepted_only_from_an_owner_whose_fingerprint_was_compared(
    tmp_path: Path, scene: Scene
) -> None:
    # An owner in the middle: it invites the clinic under the hospital's name.
    middle = found_owner(tmp_path / "middle", "hospital")
    seal_model(middle)
    from strongroom.enrolling import approve, confirm, invite, join, receive

    now = right_now()
    joined = join(
        scene.clinic, invite(middle, "clinic", expires_at=now + timedelta(days=1), now=now), now=now
    )
    enrollment = receive(middle, joined.file, now=now)
    approve(middle, enrollment, joined.fingerprint)
    offer = read_offer(scene.clinic, grant_to(middle, "clinic").file)
    assert refused(lambda: accept(scene.clinic, offer, now=now), VerificationError).code == "owner-pending"
    # What the real hospital reads out is the fingerprint of another enrollment.
    real = scene.hospital.vault.partners.enrollments("clinic", own_owner(scene.hospital))[0].fingerprint
    error = refused(lambda: confirm(scene.clinic, joined.owner, real), VerificationError)
    assert error.code == "fingerprint-mismatch"


def test_no_file_that_a_partner_receives_holds_the_content_key_or_the_model(scene: Scene) -> None:
    seal = scene.hospital.vault.seals.find("risk")
    key = scene.hospital.vault.content_keys.load(seal.package_id, scene.hospital.keys.key_provider())
    owner = own_owner(scene.hospital)
    with LocalSource(scene.sealed.path) as source:
        opened = PackageReader.open(source, owner.keys_for(Role.PACKAGE, right_now()), owner=owner.id).unlock(
            key
        )
        plain = bytes(opened.read(opened.contents.files[0].name))
    file = LicenseFile.from_bytes(scene.granted.file)
    wrapped = b"".join(from_base64url(token.split(".")[1]) for token in (file.license, *file.offline))
    sent = (
        scene.sealed.path.read_bytes() + scene.granted.file + wrapped + b"".join(map(from_base64, file.owner))
    )
    windows = [plain[place : place + 24] for place in range(0, len(plain) - 24, len(plain) // 200)]
    for secret in (key, key.hex().encode(), to_base64url(key).encode(), *windows):
        assert secret not in sent


def test_a_granted_file_is_the_same_for_the_ledger_and_the_partner(scene: Scene) -> None:
    granted: Granted = scene.granted
    assert scene.hospital.vault.grants.license_file(granted.license_id) == granted.file
