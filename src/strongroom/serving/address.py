"""Where it listens: loopback, a Unix socket, or with TLS an address that others reach.

    with listen_on_loopback("127.0.0.1", 8470) as listener:
        HttpServer(app, settings, listener=listener, holder_of=holder_of).run()

On loopback a token is asked, because every user of the machine can connect; on a Unix socket none,
because its permissions keep the others out. What is not encrypted leaves this machine by no way.
"""

from __future__ import annotations

import errno
import grp
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from strongroom.errors import StorageUnavailable, UnsupportedError, UsageError
from strongroom.listening import BACKLOG

_MAX_SOCKET_PATH_BYTES: Final = 107


@contextmanager
def listen_on_loopback(host: str, port: int) -> Iterator[socket.socket]:
    """Take an address of this machine that others cannot reach; port 0 is any that is free.

    Raises:
        UnsupportedError: Others could reach it (code ``listen-loopback``).
        UsageError: It is taken, or none (code ``address-in-use``).
    """
    if not is_loopback(host):
        raise UnsupportedError(
            f"{host} can be reached from other machines, and this server speaks no TLS",
            code="listen-loopback",
            hint="listen on 127.0.0.1, ::1 or a Unix socket: --socket PATH",
        )
    with listen_on_network(host, port) as listener:
        yield listener


@contextmanager
def listen_on_network(host: str, port: int) -> Iterator[socket.socket]:
    """Take any address of this machine, for a server that speaks TLS; port 0 is any that is free.

    Raises:
        UsageError: It is taken, or none (code ``address-in-use``).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            code="address-in-use",
            hint="choose another port: with 0, as in 127.0.0.1:0, any that is free",
        ) from error
    with listener:
        yield listener


@contextmanager
def listen_on_socket(path: Path, group: str | None = None) -> Iterator[socket.socket]:
    """Make a Unix socket that only this user, or a group, can connect to; it is removed at the end.

    A socket that nobody listens on any more is replaced. Anything else at that path stays.

    Args:
        path: Where.
        group: Whose members can connect as well, of which this user has to be one; None: nobody else.

    Raises:
        UsageError: The path is too long, something else is there (code ``socket-path``), somebody
            listens there (code ``address-in-use``), or there is no such group, or it is not one of
            this user's (code ``socket-group``).
        StorageUnavailable: It cannot be made.
    """
    name = os.fsencode(path)
    if len(name) > _MAX_SOCKET_PATH_BYTES:
        raise UsageError(
            f"the path of a socket has at most {_MAX_SOCKET_PATH_BYTES} bytes",
            code="socket-path",
            hint="choose a shorter one, such as /run/user/1000/risk.sock",
        )
    group_id = None if group is None else _group_id(group)
    _remove_abandoned(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener:
        # The permissions hold from its first moment: nobody connects between bind and chmod.
        before = os.umask(0o177)
        try:
            listener.bind(name)
        except OSError as error:
            raise StorageUnavailable(f"cannot make the socket {path}: {error.strerror}") from error
        finally:
            os.umask(before)
        made = path.lstat()
        try:
            if group_id is not None:
                _open_to_group(path, group_id, str(group))
        except UsageError:
            _remove_own(path, made)
            raise
        listener.listen(BACKLOG)
        try:
            yield listener
        finally:
            _remove_own(path, made)


def is_loopback(host: str) -> bool:
    """Say whether nobody but programs of this machine can connect there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name may come to mean another address.
        return False


def _group_id(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise UsageError(
            f"there is no group {group}", code="socket-group", hint=f"groupadd --system {group}"
        ) from error


def _open_to_group(path: Path, group_id: int, group: str) -> None:
    try:
        # The group first: for a moment it is closed to everybody, and never open to another group.
        os.chown(path, -1, group_id, follow_symlinks=False)
        path.chmod(0o660)
    except OSError as error:
        raise UsageError(
            f"the socket cannot be given to the group {group}: {error.strerror}",
            code="socket-group",
            hint=f"make this account a member of it: usermod --append --groups {group} ACCOUNT",
        ) from error


def _remove_abandoned(path: Path) -> None:
    try:
        status = path.lstat()
    except OSError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise UsageError(f"{path} is there and is no socket", code="socket-path", hint="choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fsencode(path))
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise StorageUnavailable(f"cannot use the socket {path}: {error.strerror}") from error
            _remove_own(path, status)
            return
    raise UsageError(
        f"another program listens on {path}", code="address-in-use", hint="end it, or choose another path"
    )


def _remove_own(path: Path, made: os.stat_result) -> None:
    """Remove the socket, unless another one has taken its place."""
    try:
        found = path.lstat()
        if (found.st_dev, found.st_ino) == (made.st_dev, made.st_ino):
            path.unlink()
    except FileNotFoundError:
        return
