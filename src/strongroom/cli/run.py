"""``strongroom run``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._extra import verify_installed
from strongroom.cli._page import page
from strongroom.cli._session import NO_SESSION_OPTIONS, SessionOptions
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import Error, UsageError

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from strongroom.cli._session import SessionSecrets
    from strongroom.client.process import RuntimeProcess
    from strongroom.serving.network import NetworkIdentity
    from strongroom.serving.served_model import ServedModel
    from strongroom.serving.settings import ServingSettings
    from strongroom.worker.messages import Opened

_ADDRESS = "127.0.0.1:8470"
_EXTRA = ("serving a model", ("numpy", "uvicorn"), "pip install 'strongroom[serve]'")


def run(
    models: Annotated[
        tuple[str, ...], Parameter(help="[OWNER/]NAME[@VERSION], or the path of a .sealed file; one or more.")
    ],
    /,
    *,
    listen: Annotated[
        str | None, Parameter(metavar="HOST:PORT", help=f"Address of this machine (else {_ADDRESS}).")
    ] = None,
    name: Annotated[
        tuple[str, ...],
        Parameter(help="A name or address by which clients of the network reach it; may be repeated."),
    ] = (),
    certificate: Annotated[
        Path | None, Parameter(help="A certificate of your own with its chain, PEM (else one is made).")
    ] = None,
    key: Annotated[Path | None, Parameter(name="--key-file", help="Its key, PEM.")] = None,
    socket: Annotated[
        Path | None, Parameter(metavar="PATH", help="A Unix socket in place of an address; needs no token.")
    ] = None,
    socket_group: Annotated[
        str | None, Parameter(metavar="GROUP", help="Whose members may use the socket, beside this user.")
    ] = None,
    new_token: Annotated[
        bool, Parameter(help="Make a new token; this server, and those started later, refuse the old one.")
    ] = False,
    options: SessionOptions = NO_SESSION_OPTIONS,
    shared: Shared = SHARED,
) -> None:
    """Keep models open and answer programs in any language, on this machine or a network.

    They speak the Open Inference Protocol v2 over HTTP, with JSON or binary tensors: `curl`, `tritonclient`,
    the client of KServe and others. Each sends the token that stands in a file which only you can read; the
    file's name is printed. Leases are taken and renewed, a model whose process dies is opened again. It runs
    until it is interrupted.

    On an address that other machines reach it speaks TLS alone, and each client has a token of its own, from
    `strongroom client add`. What clients have to trust is printed, with lines to paste. A line of JSON for
    each request goes to stderr; it names the client.

    Examples:
        $ strongroom run risk
        $ strongroom run risk fraud --listen 127.0.0.1:9000
        $ strongroom run risk --listen 0.0.0.0:8443 --name risk.clinic.example
        $ strongroom run risk --socket /run/user/1000/risk.sock
        $ strongroom run risk --socket /run/strongroom/risk.sock --socket-group clinic-apps

    Raises:
        UsageError: an address that is taken, or options that do not fit together.
        UnsupportedError: an extra is missing.
        Error: what `strongroom open` refuses with.
    """
    verify_installed(*_EXTRA)
    wish = _Wish(listen or _ADDRESS, name, certificate, key, socket, socket_group)
    _verify_options(models, wish, is_listening=listen is not None, new_token=new_token)
    from contextlib import ExitStack
    from functools import partial

    from strongroom.license.request import Right
    from strongroom.serving.settings import ServingSettings

    settings = ServingSettings()
    # What is refused without decrypting anything is refused before anything is made or held.
    secrets = [options.read_secrets(shared, model, Right.PREDICT) for model in models]
    with ExitStack() as stack:
        # The address first: whoever typed one that is taken need not wait for models.
        listener, identity = stack.enter_context(_listener(wish)), _identity(shared, wish)
        served = [
            _start(partial(_open, shared, model, options, each), shared, settings.max_waiting, stack.callback)
            for model, each in zip(models, secrets, strict=True)
        ]
        _verify_names(served)
        _serve(shared, wish, served, settings, listener, identity, new_token=new_token)


@dataclass(frozen=True)
class _Wish:
    """Where it is to listen, and as whom."""

    listen: str
    names: tuple[str, ...]
    certificate: Path | None
    key: Path | None
    path: Path | None
    group: str | None

    @property
    def address(self) -> tuple[str, int]:
        from strongroom.cli.broker import address_of

        return address_of(self.listen)

    @property
    def has_identity(self) -> bool:
        return bool(self.names or self.certificate or self.key)

    @property
    def is_network(self) -> bool:
        """Whether TLS is spoken, and clients have names."""
        from strongroom.serving.address import is_loopback

        return self.path is None and (self.has_identity or not is_loopback(self.address[0]))


def _verify_options(models: tuple[str, ...], wish: _Wish, *, is_listening: bool, new_token: bool) -> None:
    if is_listening and wish.path is not None:
        raise UsageError("--listen and --socket exclude each other", code="listen-or-socket")
    if not models:
        raise UsageError("no model is named", code="no-model", hint="strongroom models lists them")
    if wish.path is None and wish.group is not None:
        raise UsageError("only a Unix socket has a group", code="listen-or-socket", hint="--socket PATH")
    if wish.path is not None and (new_token or wish.has_identity):
        raise UsageError("a Unix socket has no token, no name and no certificate", code="listen-or-socket")
    if new_token and wish.is_network:
        raise UsageError(
            "on a network each client has a token of its own",
            code="listen-or-socket",
            hint="strongroom client remove NAME, and strongroom client add NAME",
        )


def _listener(wish: _Wish) -> AbstractContextManager[socket.socket]:
    from strongroom.serving.address import listen_on_loopback, listen_on_network, listen_on_socket

    if wish.path is not None:
        return listen_on_socket(wish.path, wish.group)
    return (listen_on_network if wish.is_network else listen_on_loopback)(*wish.address)


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _identity(shared: Shared, wish: _Wish) -> NetworkIdentity | None:
    if not wish.is_network:
        return None
    from strongroom.serving.network import take_identity

    return take_identity(
        shared.open_home(),
        wish.address[0],
        names=wish.names,
        certificate_path=wish.certificate,
        key_path=wish.key,
        clock=_now,
    )


def _serve(
    shared: Shared,
    wish: _Wish,
    served: list[ServedModel],
    settings: ServingSettings,
    listener: socket.socket,
    identity: NetworkIdentity | None,
    *,
    new_token: bool,
) -> None:
    from strongroom.listening import HttpServer
    from strongroom.serving.admission import NamedTokens, Token
    from strongroom.serving.app import InferenceApp, holder_of
    from strongroom.serving.request_log import logged

    if identity is not None:
        tokens = shared.open_home().client_tokens
        if not tokens.read():
            shared.terminal.warning("no client has a token yet: strongroom client add NAME")
        context = identity.context()
        HttpServer(
            logged(InferenceApp(served, settings, gate=NamedTokens(tokens, _now))),
            settings,
            listener=listener,
            holder_of=holder_of,
            context=context,
            renew=lambda: _renew(shared, identity, context),
            ready=lambda: _show_network(shared, served, listener, identity),
        ).run()
        return
    header, token = (
        (None, None) if wish.path is not None else shared.open_home().client_header.take(anew=new_token)
    )
    HttpServer(
        InferenceApp(served, settings, gate=None if token is None else Token.of(token)),
        settings,
        listener=listener,
        holder_of=holder_of,
        ready=lambda: _show(shared, served, listener, wish.path, header),
    ).run()


def _renew(shared: Shared, identity: NetworkIdentity, context: ssl.SSLContext) -> None:
    try:
        identity.renew(context)
    except Error as error:
        # A full disk for an hour is no reason to end; the certificate is good for a month yet.
        shared.terminal.warning(f"the certificate was not renewed: {error} [{error.code}]")


def _start(
    opener: Callable[[], tuple[RuntimeProcess, Opened]],
    shared: Shared,
    max_waiting: int,
    closing: Callable[[Callable[[], None]], Any],
) -> ServedModel:
    from strongroom.serving.served_model import ServedModel

    served = ServedModel.start(opener, max_waiting=max_waiting, tell=shared.terminal.note)
    closing(served.close)
    return served


def _open(
    shared: Shared, model: str, options: SessionOptions, secrets: SessionSecrets
) -> tuple[RuntimeProcess, Opened]:
    from strongroom.client.model import START_SECONDS
    from strongroom.client.process import RuntimeProcess, Wish
    from strongroom.client.secret import Secrets
    from strongroom.license.request import Right

    runtime = RuntimeProcess.start(Secrets.find(passphrase=secrets.license, key_passphrase=secrets.home))
    wish = Wish(
        reference=model,
        right=Right.PREDICT,
        home=None if shared.home is None else str(shared.home.absolute()),
        license=options.license,
        purpose=options.purpose,
        trusts_code=options.trust_code,
    )
    return runtime, runtime.open(wish, timeout_seconds=START_SECONDS)


def _verify_names(served: list[ServedModel]) -> None:
    names = [model.name for model in served]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"two models are called {twice}",
            code="model-twice",
            hint="serve them by two commands, at two addresses",
        )


def _show(
    shared: Shared,
    served: list[ServedModel],
    listener: socket.socket,
    path: Path | None,
    header: Path | None,
) -> None:
    import shlex

    if path is None:
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        how = f"curl -H @{shlex.quote(str(header))} {url}"
    else:
        url = "http://localhost"
        how = f"curl --unix-socket {shlex.quote(str(path))} {url}"
    document = {
        "url": url,
        "socket": None if path is None else str(path),
        "header_file": None if header is None else str(header),
        "models": _models(served),
    }
    rows = [("model", f"{model.name} {model.version}") for model in served]
    rows += [("address", url if path is None else str(path)), ("try", f"{how}/v2/models/{served[0].name}")]
    _tell(shared, document, rows)


def _show_network(
    shared: Shared, served: list[ServedModel], listener: socket.socket, identity: NetworkIdentity
) -> None:
    from strongroom.cli._network import document_of, rows_of

    url = identity.url(listener.getsockname()[1])
    document = {"url": url, "socket": None, "header_file": None, "models": _models(served)}
    rows = [("model", f"{model.name} {model.version}") for model in served] + [("address", url)]
    _tell(shared, document | document_of(identity), rows + rows_of(identity, url, served[0].name))


def _models(served: list[ServedModel]) -> list[dict[str, str]]:
    return [{"name": model.name, "version": model.version} for model in served]


def _tell(shared: Shared, document: dict[str, Any], rows: list[tuple[str, str]]) -> None:
    import sys

    shared.terminal.fields(document, rows)
    # Whoever waits for it through a pipe gets it now, not when the server ends.
    sys.stdout.flush()
    shared.terminal.note("It answers. Ctrl-C ends it.")


app = page(run, "run")
