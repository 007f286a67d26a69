"""Where a server may listen, and what it leaves alone."""

from __future__ import annotations

import grp
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.errors import StorageUnavailable, UnsupportedError, UsageError
from strongroom.serving.address import listen_on_loopback, listen_on_socket


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    # The name of a socket has room for 107 bytes, which a temporary folder may use up.
    before = Path.cwd()
    os.chdir(tmp_path)
    yield Path("risk.sock")
    os.chdir(before)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", "broker.example"])  # noqa: S104 - refused
def test_an_address_that_others_reach(host: str) -> None:
    with pytest.raises(UnsupportedError) as refused, listen_on_loopback(host, 0):
        pass
    assert refused.value.code == "listen-loopback"


def test_an_address_that_is_taken() -> None:
    with listen_on_loopback("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError) as refused, listen_on_loopback("127.0.0.1", port):
            pass
    assert refused.value.code == "address-in-use"


def test_a_socket_is_for_its_user_only_and_goes_at_the_end(path: Path) -> None:
    with listen_on_socket(path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_one_that_was_left_behind_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with listen_on_socket(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_one_that_somebody_listens_on_stays(path: Path) -> None:
    with listen_on_socket(path):
        with pytest.raises(UsageError) as refused, listen_on_socket(path):
            pass
        assert refused.value.code == "address-in-use"
        assert path.exists()


def test_a_file_stays(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(UsageError) as refused, listen_on_socket(path):
        pass
    assert refused.value.code == "socket-path"
    assert path.read_text() == "mine"


def test_a_socket_that_took_its_place_stays(path: Path) -> None:
    with listen_on_socket(path):
        path.unlink()
        path.write_text("another")
    assert path.exists()
    path.unlink()
    with listen_on_socket(path):
        path.unlink()


def test_a_path_that_is_too_long() -> None:
    with pytest.raises(UsageError) as refused, listen_on_socket(Path("/" + "x" * 107)):
        pass
    assert refused.value.code == "socket-path"


def test_a_folder_that_is_not_there(path: Path) -> None:
    with pytest.raises(StorageUnavailable), listen_on_socket(Path("none") / path):
        pass


def test_a_socket_is_given_to_a_group_and_to_none_that_is_not_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    group = grp.getgrnam("users")
    with listen_on_socket(path, group.gr_name):
        status = path.stat()
        assert (status.st_gid, status.st_mode & 0o777) == (group.gr_gid, 0o660)
    with pytest.raises(UsageError, match="no group") as refused, listen_on_socket(path, "no-such-group"):
        raise AssertionError
    assert refused.value.code == "socket-group"
    monkeypatch.setattr("os.chown", _refuse)
    with pytest.raises(UsageError, match="cannot be given") as refused, listen_on_socket(path, "users"):
        raise AssertionError
    assert refused.value.code == "socket-group"
    assert not path.exists()


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")
