"""The worker's own life: open the package, load the model, answer until the supervisor ends.

    Session(Channel(connection, peer="supervisor"), memory, report).run()

With the right ``export`` nothing is loaded or run, and files can be streamed out; with
any other right nothing can be streamed out. Weights exist here and nowhere else: in
the library that runs the model. The buffers they came in are wiped, the content key
is dropped (spec/worker-protocol.md, section "Worker").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from strongroom.crypto.hpke import SealingSecret
from strongroom.errors import Error, FormatError, LicenseDenied, WorkerLost
from strongroom.hardening.report import Report
from strongroom.hardening.secret_memory import SecretMemory, wipe
from strongroom.keys.key_pair import SealingKey
from strongroom.license.codes import Code
from strongroom.license.request import Right
from strongroom.loaders import registry
from strongroom.loaders.interface import LoadedModel
from strongroom.package.contents import FileEntry
from strongroom.package.open_package import OpenPackage
from strongroom.storage.local import LocalSource
from strongroom.worker import unseal
from strongroom.worker.channel import Channel
from strongroom.worker.foreign_code import verify_code_allowed
from strongroom.worker.frames import Datatype, Frame, Tensor
from strongroom.worker.messages import (
    Answer,
    Chunk,
    Explain,
    Export,
    Exported,
    Failure,
    File,
    Load,
    Predict,
    Prepare,
    Prepared,
    Ready,
)
from strongroom.worker.tensor import from_array, to_array

_CHUNK_BYTES: Final = 4 << 20


class Session:
    """One supervisor, one package."""

    def __init__(
        self, channel: Channel, memory: SecretMemory | None = None, report: Report | None = None
    ) -> None:
        """Serve the supervisor at the other end.

        Args:
            channel: to the supervisor.
            memory: for the one-time key while it waits.
            report: what confines this process.
        """
        self._channel = channel
        self._memory = memory or SecretMemory.reserve()
        self._report = report or Report(())
        self._model: LoadedModel | None = None
        self._package: OpenPackage | None = None

    def run(self) -> None:
        """Serve until the supervisor closes, or is lost."""
        try:
            if self._open():
                while self._serve_one():
                    pass
        except WorkerLost:
            # Nobody is left to be told.
            return
        finally:
            self._channel.close()

    def _open(self) -> bool:
        """Open what the first message names; False if there is nothing to serve."""
        try:
            frame = self._channel.receive()
            if frame is not None and isinstance(frame.message, Prepare):
                self._prepare()
                frame = self._channel.receive()
            if frame is None:
                return False
            if not isinstance(frame.message, Load):
                raise FormatError("a session begins with 'load'", code="unexpected-message")
            ready = self._load(frame.message)
        except WorkerLost:
            raise
        except Error as error:
            self._channel.send(Frame(Failure.of(error)))
            return False
        self._channel.send(Frame(ready))
        return True

    def _prepare(self) -> None:
        # Before any code of a model or its library runs here: what is wrapped to this key
        # can be opened by this process alone.
        one_time = SealingKey.generate()
        self._memory.put(bytearray(one_time.secret.to_bytes()))
        self._channel.send(Frame(Prepared(worker_key=one_time.public_text, report=self._report.to_json())))

    def _take_one_time(self) -> SealingKey | None:
        waiting = self._memory.take()
        if waiting is None:
            return None
        try:
            return SealingKey(SealingSecret.from_bytes(bytes(waiting)))
        finally:
            wipe(waiting)

    def _load(self, load: Load) -> Ready:
        source = LocalSource(load.package_fd)
        package = unseal.open_package(source, load, self._take_one_time())
        if load.right == Right.EXPORT:
            self._package = package
        else:
            verify_code_allowed(package.statement, self._report, trusted=load.trusts_code)
            # Nothing will be decrypted any more, and code of the owner finds nothing open but this channel.
            self._model = load_model(package, before_load=source.close)
        explains = self._model is not None and self._model.explains
        return Ready(schema=package.contents.schema, explains=explains)

    def _serve_one(self) -> bool:
        """Answer one message; False at the end."""
        try:
            frame = self._channel.receive()
        except FormatError as error:
            self._channel.send(Frame(Failure.of(error)))
            # The bytes of a frame beyond the limits are still in the stream.
            return error.code != "frame-too-large"
        if frame is None:
            return False
        try:
            self._answer(frame)
        except WorkerLost:
            raise
        except Error as error:
            self._channel.send(Frame(Failure.of(error, id=getattr(frame.message, "id", None))))
        return True

    def _answer(self, frame: Frame) -> None:
        match frame.message:
            case Predict(id=number, method=method):
                self._predict(number, method, frame.tensors)
            case Explain(id=number, method=method):
                self._explain(number, method, frame.tensors)
            case Export(id=number):
                self._export(number)
            case _:
                raise FormatError("a worker does not expect this message", code="unexpected-message")

    def _predict(self, number: int, method: str, tensors: tuple[Tensor, ...]) -> None:
        if self._model is None:
            raise _right_not_granted("this session was opened to export, not to predict")
        inputs = {tensor.name: to_array(tensor) for tensor in tensors}
        outputs = self._model.predict(inputs, method)
        answer = tuple(from_array(name, array) for name, array in outputs.items())
        self._channel.send(Frame(Answer(id=number), answer))

    def _explain(self, number: int, method: str | None, tensors: tuple[Tensor, ...]) -> None:
        if self._model is None:
            raise _right_not_granted("this session was opened to export, not to explain")
        inputs = {tensor.name: to_array(tensor) for tensor in tensors}
        outputs = {} if method is None else self._model.predict(inputs, method)
        # Last, so that no output of the model can take the place of an explanation.
        outputs |= self._model.explain(inputs)
        answer = tuple(from_array(name, array) for name, array in outputs.items())
        self._channel.send(Frame(Answer(id=number), answer))

    def _export(self, number: int) -> None:
        if self._package is None:
            raise _right_not_granted("this session was opened to predict, not to export")
        for file in self._package.contents.files:
            self._channel.send(Frame(File(id=number, file=file)))
            for offset in range(0, file.size, _CHUNK_BYTES):
                self._send_chunk(number, self._package, file, offset)
        self._channel.send(Frame(Exported(id=number)))

    def _send_chunk(self, number: int, package: OpenPackage, file: FileEntry, offset: int) -> None:
        data = package.read_range(file.name, offset, min(_CHUNK_BYTES, file.size - offset))
        self._channel.send(Frame(Chunk(id=number), (Tensor("data", Datatype.UINT8, (len(data),), data),)))
        wipe(data)


def load_model(package: OpenPackage, *, before_load: Callable[[], None] = lambda: None) -> LoadedModel:
    """Decrypt the files of a package into memory and load the model that they hold.

    The buffers are wiped afterwards: a loader copies what it keeps.

    Args:
        package: unlocked.
        before_load: runs when all is decrypted, before anything of it is loaded.

    Raises:
        FormatError: the files hold no such model.
        UnsupportedError: the loader is unknown, or its library is not installed.
        IntegrityError: the files are not what the owner signed.
        StorageError: the package cannot be read.
    """
    contents = package.contents
    loader = registry.find(contents.loader.name)
    files: dict[str, bytearray] = {}
    try:
        for file in contents.files:
            files[file.name] = package.read(file.name)
        before_load()
        return loader.load(files, contents.loader, contents.schema)
    finally:
        for buffer in files.values():
            wipe(buffer)


def _right_not_granted(reason: str) -> LicenseDenied:
    return LicenseDenied(reason, code=Code.RIGHT_NOT_GRANTED.value)
