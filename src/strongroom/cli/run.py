"""``strongroom run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._extra import verify_installed
from strongroom.cli._page import page
from strongroom.cli._session import NO_SESSION_OPTIONS, SessionOptions
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from strongroom.cli._session import SessionSecrets
    from strongroom.client.process import RuntimeProcess
    from strongroom.serving.served_model import ServedModel
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
    """Keep models open and answer programs in any language, on this machine only.

    They speak the Open Inference Protocol v2 over HTTP, with JSON or binary tensors: `curl`, `tritonclient`,
    the client of KServe and others. Each sends the token that stands in a file which only you can read; the
    file's name is printed. Leases are taken and renewed, a model whose process dies is opened again. It runs
    until it is interrupted.

    Examples:
        $ strongroom run risk
        $ strongroom run risk fraud --listen 127.0.0.1:9000
        $ strongroom run risk --socket /run/user/1000/risk.sock
        $ strongroom run risk --socket /run/strongroom/risk.sock --socket-group clinic-apps

    Raises:
        UsageError: an address that is taken, or options that do not fit together.
        UnsupportedError: an address that other machines reach, or an extra is missing.
        Error: what `strongroom open` refuses with.
    """
    verify_installed(*_EXTRA)
    if listen is not None and socket is not None:
        raise UsageError("--listen and --socket exclude each other", code="listen-or-socket")
    if not models:
        raise UsageError("no model is named", code="no-model", hint="strongroom models lists them")
    if socket is None and socket_group is not None:
        raise UsageError("only a Unix socket has a group", code="listen-or-socket", hint="--socket PATH")
    if socket is not None and new_token:
        raise UsageError("a Unix socket has no token", code="listen-or-socket")
    from contextlib import ExitStack
    from functools import partial

    from strongroom.license.request import Right
    from strongroom.listening import HttpServer
    from strongroom.serving.app import InferenceApp, Token, holder_of
    from strongroom.serving.settings import ServingSettings

    settings = ServingSettings()
    # What is refused without decrypting anything is refused before anything is made or held.
    secrets = [options.read_secrets(shared, model, Right.PREDICT) for model in models]
    header, token = (
        (None, None) if socket is not None else shared.open_home().client_header.take(anew=new_token)
    )
    with ExitStack() as stack:
        # The address first: whoever typed one that is taken need not wait for models.
        listener = stack.enter_context(_listener(listen or _ADDRESS, socket, socket_group))
        served = [
            _start(partial(_open, shared, model, options, each), shared, settings.max_waiting, stack.callback)
            for model, each in zip(models, secrets, strict=True)
        ]
        _verify_names(served)
        app = InferenceApp(served, settings, token=None if token is None else Token.of(token))
        HttpServer(
            app,
            settings,
            listener=listener,
            holder_of=holder_of,
            ready=lambda: _show(shared, served, listener, socket, header),
        ).run()


def _listener(listen: str, path: Path | None, group: str | None) -> AbstractContextManager[socket.socket]:
    from strongroom.cli.broker import address_of
    from strongroom.serving.address import listen_on_loopback, listen_on_socket

    return listen_on_loopback(*address_of(listen)) if path is None else listen_on_socket(path, group)


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
    import sys

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
        "models": [{"name": model.name, "version": model.version} for model in served],
    }
    rows = [("model", f"{model.name} {model.version}") for model in served]
    rows += [("address", url if path is None else str(path)), ("try", f"{how}/v2/models/{served[0].name}")]
    shared.terminal.fields(document, rows)
    # Whoever waits for it through a pipe gets it now, not when the server ends.
    sys.stdout.flush()
    shared.terminal.note("It answers. Ctrl-C ends it.")


app = page(run, "run")
