"""Attacks on a home: as another user, by links and modes, by edited state, by races and kills."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom._encoding import from_base64url, to_base64url
from strongroom.errors import Error, IntegrityError, NoMatchingKey
from strongroom.home import Home
from strongroom.keys.text import KeyKind
from strongroom.license.codes import Code
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.terms import Predictions
from strongroom.license.verdict import Denied
from tests.unit.home.world import (
    NOW,
    OWNER,
    PASSPHRASE,
    add_license,
    add_package,
    clinic,
    license_bytes,
    refused,
)
from tests.unit.license.world import CONTENT_KEY, PACKAGE_ID, chain_of, facts, request

OTHER_UID = 65534
KILLS = int(os.environ.get("STRONGROOM_KILLS", "6"))
"""Larger for a soak; read before the fixtures clear the environment."""

LOOK = """
folder=$1; shift
find "$folder" -mindepth 1 2>/dev/null | sed 's/^/saw /'
for path in "$@"; do
    if cat "$path" >/dev/null 2>&1; then echo "read $path"; else echo "refused $path"; fi
done
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user of the machine can enter and list."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-attack-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_another_user(*command: str) -> str:
    """Run a command under a real second uid, without any group or capability of this one."""
    other = ["setpriv", f"--reuid={OTHER_UID}", f"--regid={OTHER_UID}", "--clear-groups", "--inh-caps=-all"]
    done = subprocess.run([*other, *command], capture_output=True, text=True, check=True)
    return done.stdout


def look_as_another_user(folder: Path, paths: list[Path]) -> list[str]:
    """List a folder and read files under a real second uid; returns what came of it."""
    return as_another_user("sh", "-c", LOOK, "look", str(folder), *map(str, paths)).splitlines()


def full_home(path: Path) -> Home:
    """Make a home that has one of everything."""
    before = os.umask(0)
    try:
        home = clinic(path)
        home.keys.create_member(NOW)
        home.keys.create_owner_key(KeyKind.OWNER_ROOT, NOW)
        home.keys.create_key_encryption_key(NOW)
        home.trust.save_enrollment(OWNER.id, b"enrollment")
        home.vault.set_owner_id(OWNER.id)
        home.vault.content_keys.save(PACKAGE_ID, CONTENT_KEY, home.keys.key_provider())
        add_package(home)
        license_id = add_license(home)
        home.catalog.licenses.save_acceptance(OWNER.id, license_id, "token")
        home.marks.set_clock(OWNER.id, NOW)
    finally:
        os.umask(before)
    return home


def files_of(home: Home) -> list[Path]:
    return [path for path in home.path.rglob("*") if path.is_file()]


def test_another_user_reads_nothing_in_a_home(open_folder: Path) -> None:
    home = full_home(open_folder / "home")
    (open_folder / "public.txt").write_bytes(b"hello")
    (open_folder / "public.txt").chmod(0o644)
    paths = files_of(home)
    assert len(paths) >= 14
    seen = look_as_another_user(home.path, [*paths, open_folder / "public.txt"])
    assert seen[-1] == f"read {open_folder / 'public.txt'}", "the other user can look at all"
    assert seen[:-1] == [f"refused {path}" for path in paths]


def test_another_user_reads_no_file_even_where_the_folders_were_opened_by_hand(open_folder: Path) -> None:
    home = full_home(open_folder / "home")
    for folder in (home.path, *(path for path in home.path.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    paths = files_of(home)
    seen = look_as_another_user(home.path, paths)
    assert f"saw {home.path}/keys/organization.key" in seen, "the folders are open"
    assert [line for line in seen if line.startswith("read ")] == []
    assert refused(lambda: Home.open(home.path)).code == "home-mode"


def test_another_user_writes_nothing_into_a_home(open_folder: Path) -> None:
    home = full_home(open_folder / "home")
    script = "; ".join(
        [f"touch {home.path}/planted 2>/dev/null && echo planted"]
        + [f"(echo x >> {path}) 2>/dev/null && echo wrote" for path in files_of(home)]
        + ["echo done"]
    )
    assert as_another_user("sh", "-c", script) == "done\n"


def test_the_home_of_another_user_is_not_used(open_folder: Path) -> None:
    """Whoever owns the folder could exchange every key and pinned owner in it."""
    home = full_home(open_folder / "home")
    os.chown(home.path, OTHER_UID, OTHER_UID)
    error = refused(lambda: Home.open(home.path))
    assert isinstance(error, NoMatchingKey)
    assert error.code == "home-mode"


def test_a_key_file_of_another_user_is_not_used(open_folder: Path) -> None:
    home = full_home(open_folder / "home")
    os.chown(home.path / "keys" / "organization.key", OTHER_UID, OTHER_UID)
    assert refused(Home.open(home.path).keys.organization).code == "key-file-mode"


def test_a_key_file_is_private_from_its_first_byte(open_folder: Path) -> None:
    """A file that is made open and closed a moment later has been readable for that moment."""
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from strongroom.home import Home; from strongroom.keys.text import KeyKind\n"
        "home = Home.open(Path(sys.argv[1])); print('ready', flush=True)\n"
        "while True: home.keys.create_owner_key(KeyKind.OWNER_ROOT, datetime.now(UTC))\n"
    )
    home = Home.create("hospital", open_folder / "home")
    before = os.umask(0)
    try:
        maker = subprocess.Popen([sys.executable, "-c", program, str(home.path)], stdout=subprocess.PIPE)
    finally:
        os.umask(before)
    modes: set[int] = set()
    with maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == b"ready\n"
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            for entry in os.scandir(home.path / "keys"):
                try:
                    modes.add(entry.stat(follow_symlinks=False).st_mode & 0o7777)
                except FileNotFoundError:
                    continue
        maker.kill()
    assert modes == {0o600}


def test_a_link_planted_in_the_place_of_a_key_is_not_followed(open_folder: Path) -> None:
    home = full_home(open_folder / "home")
    for name in ("organization.key", "kek.key", f"{OWNER.id}/device.key", f"{OWNER.id}/sealing.key"):
        path = home.path / "keys" / name
        path.rename(open_folder / "moved.key")
        path.symlink_to(open_folder / "moved.key")
    opened = Home.open(home.path)
    for read in (
        opened.keys.organization,
        opened.keys.key_provider,
        lambda: opened.keys.device(OWNER.id),
        lambda: opened.keys.sealing(OWNER.id),
        lambda: opened.keys.open_sealing_file(OWNER.id),
    ):
        assert refused(read).code == "key-file-link"


def test_under_a_passphrase_no_key_file_gives_its_key_away(tmp_path: Path) -> None:
    home = Home.create("clinic", tmp_path / "home", passphrase=lambda: PASSPHRASE)
    organization = home.keys.create_organization(NOW)
    secret = organization.to_text().partition(".")[2]
    for path in files_of(home):
        assert secret.encode()[:20] not in path.read_bytes()
    thief = Home.open(home.path)
    assert isinstance(refused(thief.keys.organization), NoMatchingKey)


def test_a_budget_edited_in_the_state_file_stops_everything(tmp_path: Path) -> None:
    home = clinic(tmp_path / "home")
    chain = chain_of(Predictions(limit=100, per=Period.TOTAL))
    home.marks.reserve(chain, request(predictions=100), facts(chain), NOW)
    path = home.path / "state" / OWNER.id / "state.jws"
    head, payload, signature = path.read_text("ascii").split(".")
    edited = from_base64url(payload).replace(b'total":100', b'total":1')
    assert edited != from_base64url(payload)
    path.write_text(f"{head}.{to_base64url(edited)}.{signature}", "ascii")
    error = refused(lambda: home.marks.reserve(chain, request(), facts(chain), NOW))
    assert isinstance(error, IntegrityError)
    assert error.code == "state-tampered"


def test_the_state_of_another_runtime_is_not_taken(tmp_path: Path) -> None:
    """A fresh home of the same party has an unused budget; copying its state must not help."""
    spent, fresh = clinic(tmp_path / "spent"), clinic(tmp_path / "fresh")
    chain = chain_of(Predictions(limit=100, per=Period.TOTAL))
    for home, predictions in ((spent, 100), (fresh, 1)):
        home.marks.reserve(chain, request(predictions=predictions), facts(chain), NOW)
    name = Path("state") / OWNER.id / "state.jws"
    shutil.copy(fresh.path / name, spent.path / name)
    error = refused(lambda: spent.marks.reserve(chain, request(), facts(chain), NOW))
    assert error.code == "state-tampered"


def test_names_from_documents_never_lead_out_of_a_home(tmp_path: Path) -> None:
    home = clinic(tmp_path / "home")
    _, data = license_bytes()
    before = set(tmp_path.rglob("*"))
    for name in ("..", "../../planted", "/tmp/planted", "a/../../planted", "a\0b", ""):  # noqa: S108 - never made
        for act in (
            lambda name=name: home.catalog.licenses.add(name, "lic-a", data),
            lambda name=name: home.catalog.licenses.add(OWNER.id, name, data),
            lambda name=name: home.trust.save_enrollment(name, b"x"),
            lambda name=name: home.marks.set_clock(name, NOW),
            lambda name=name: home.keys.ensure_runtime_keys(name, NOW),
            lambda name=name: home.catalog.packages.path(name, "risk", "1.0.0"),
            lambda name=name: home.vault.partners.get(name),
            lambda name=name: home.vault.grants.license_file(name),
        ):
            assert isinstance(refused(act), Error)
    assert set(tmp_path.rglob("*")) == before


def test_a_supervisor_killed_at_any_moment_never_gives_budget_away(tmp_path: Path) -> None:
    """What was handed out before the kill is charged; the file is whole after every kill."""
    home = clinic(tmp_path / "home")
    program = (
        "import sys; from pathlib import Path; from strongroom.home import Home\n"
        "from strongroom.license.terms import Predictions; from strongroom.license.period import Period\n"
        "from tests.unit.license.world import NOW, chain_of, facts, request\n"
        "home = Home.open(Path(sys.argv[1])); chain = chain_of(Predictions(limit=10**9, per=Period.TOTAL))\n"
        "while True:\n"
        "    reserved = home.marks.reserve(chain, request(), facts(chain), NOW, block=10)\n"
        "    print(reserved.predictions, flush=True)\n"
    )
    chain = chain_of(Predictions(limit=10**9, per=Period.TOTAL))
    answered = 0
    for number in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(home.path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent.parent.parent,
        ) as supervisor:
            assert supervisor.stdout is not None
            answered += int(supervisor.stdout.readline())
            time.sleep(0.003 + 0.0017 * (number % 13))
            supervisor.send_signal(signal.SIGKILL)
            answered += sum(int(line) for line in supervisor.stdout.read().split())
        used = home.marks.read(OWNER.id).used[CounterKey(chain.id, CounterName.PREDICTIONS, "total")]
        # A kill between the write and the answer costs one block, for the one who was killed.
        assert answered <= used <= answered + 10 * (number + 1)


def test_a_budget_that_is_used_up_stays_used_up_in_every_new_process(tmp_path: Path) -> None:
    home = clinic(tmp_path / "home")
    chain = chain_of(Predictions(limit=5, per=Period.TOTAL))
    home.marks.reserve(chain, request(predictions=5), facts(chain), NOW)
    for _ in range(3):
        verdict = Home.open(home.path).marks.reserve(chain, request(), facts(chain), NOW)
        assert isinstance(verdict, Denied)
        assert verdict.code is Code.PREDICTIONS_USED_UP
