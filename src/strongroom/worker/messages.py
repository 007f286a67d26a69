"""Messages: everything that client, supervisor and worker say to one another (spec/worker-protocol.md).

    Predict(id=7, method="predict_proba")        client -> supervisor -> worker
    Answer(id=7, remaining=993)                   worker -> supervisor -> client
    Failure.of(error, id=7).to_error()            an error of our tree, on the other side

Frozen, tagged and append-only; an unknown kind or member is refused. No message asks
for weights or keys: with the right ``export`` files stream out through ``Chunk``, and
nothing else carries bytes of a package. Tensors travel beside a message, not in it.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from strongroom import errors
from strongroom.errors import Error, FormatError
from strongroom.package.contents import FileEntry, Schema
from strongroom.receipts.receipt_file import Warrant

WORKER_RESTARTED: Final = "worker-restarted"
"""Code of the one ``WorkerLost`` after which the session goes on, with a new worker."""
_MAX_TEXT_CHARS: Final = 2000
_ERROR_KINDS: Final[dict[str, type[Error]]] = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Error)
}
_KINDS: Final = frozenset(_ERROR_KINDS.values())

Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]


class _Message(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
):
    """What all messages share: a tag, no unknown members, no default written out."""


class Pipes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Inherited descriptors of pipes, each with one pass-phrase that nobody has read yet."""

    passphrase: Number | None = None
    """Of a pass-phrase file, for the worker."""
    supervisor_key: Number | None = None
    """Of the home's keys, for the supervisor, which signs with the device key."""
    worker_key: Number | None = None
    """The same again, for the worker, which opens the sealing key."""


class Open(_Message, frozen=True, kw_only=True, tag="open"):
    """Client: open a model. The first message, and only once."""

    home: str | None = None
    """Directory of the home; None for the default one."""
    reference: str
    """``[owner/]name[@version]`` or a path."""
    right: str
    """What the session is for: ``predict``, ``evaluate``, ``explain`` or ``export``."""
    license: str | None = None
    """Which license to use, where several fit."""
    purpose: str | None = None
    """What the answers are for, where the license asks."""
    trusts_code: bool = False
    """The partner lets code of the owner run although nothing confines it."""
    pipes: Pipes


class Opened(_Message, frozen=True, kw_only=True, tag="opened"):
    """Supervisor: the model is loaded and the license allows its use."""

    name: str
    version: str
    owner: str
    owner_name: str
    package: str
    license: str
    level: str
    schema: Schema
    expires: str | None = None
    remaining: Number | None = None
    lease_ends: str | None = None
    """When the lease ends by itself if nobody renews it; absent without a broker."""
    standing: str | None = None
    """``grace`` or ``break-glass``, if the broker is silent and the lease has ended."""
    explains: bool = False
    """Whether the model can say what each column contributed."""
    warrant: Warrant | None = None
    """The public documents that receipts of this session rest on; absent where it can give none."""


class Prepare(_Message, frozen=True, kw_only=True, tag="prepare"):
    """Supervisor: make the one-time key, and say what confines you. Before ``load``, and only once."""


class Prepared(_Message, frozen=True, kw_only=True, tag="prepared"):
    """Worker: the one-time key is made; its secret half is here and nowhere else."""

    worker_key: str
    """Public text."""
    report: list[dict[str, str | bool]] = []
    """What confines it, as ``hardening.report.Report.to_json`` writes it; what is not named does not hold."""


class Load(_Message, frozen=True, kw_only=True, tag="load"):
    """Supervisor: open this package and load it. The first message but for ``prepare``, and only once.

    The worker believes nothing of it: with the owner's chain it verifies again what
    the supervisor has verified, then unwraps the key that the release carries.
    """

    right: str
    owner: list[str]
    """The owner's chain, as ``OwnerChain.to_json`` writes it."""
    license: str
    """Id of the narrowest document of the license chain."""
    runtime: str
    """Id of this runtime."""
    package: str
    """The package digest that the license was checked against."""
    release: str
    """The token of the offline file, pass-phrase file or lease."""
    nonce: str | None = None
    """Of a lease: that of the request. The one-time key opens it; without it, the restart envelope is opened
    with the sealing key."""
    package_fd: Number
    sealing_key_fd: Number | None = None
    pipes: Pipes
    trusts_code: bool = False
    """As in ``open``."""


class Ready(_Message, frozen=True, kw_only=True, tag="ready"):
    """Worker: the model is loaded."""

    schema: Schema
    explains: bool = False
    """Whether the model can say what each column contributed."""


class Predict(_Message, frozen=True, kw_only=True, tag="predict"):
    """Client: run one method of the model on the tensors of this frame."""

    id: Number
    method: str
    receipt: bool = False
    """Whether the client wants receipts of the answer."""


class Explain(_Message, frozen=True, kw_only=True, tag="explain"):
    """Client: say what each column contributed to the score of each row of this frame."""

    id: Number
    method: str | None = None
    """A method to run on the same rows: its outputs come in the same answer, and nothing is counted twice."""


class Answer(_Message, frozen=True, kw_only=True, tag="answer"):
    """Worker, supervisor: the outputs are the tensors of this frame."""

    id: Number
    remaining: Number | None = None
    """Predictions that the license still allows, if it counts them."""
    explanations: Number | None = None
    """Explanations that the license still allows, if it counts them; in answer to ``explain``."""
    receipt: str | None = None
    """The token of the receipt batch, if receipts were asked for."""
    salt: str | None = None
    """The seed of its salts, hexadecimal: it is here and nowhere else."""


class Export(_Message, frozen=True, kw_only=True, tag="export"):
    """Client: hand out the files of the package. Needs a session with the right ``export``."""

    id: Number


class File(_Message, frozen=True, kw_only=True, tag="file"):
    """Worker, supervisor: the chunks that follow are this file."""

    id: Number
    file: FileEntry


class Chunk(_Message, frozen=True, kw_only=True, tag="chunk"):
    """Worker, supervisor: the next bytes of the file, as the one tensor of this frame."""

    id: Number


class Exported(_Message, frozen=True, kw_only=True, tag="exported"):
    """Worker, supervisor: all files have been sent."""

    id: Number


class Failure(_Message, frozen=True, kw_only=True, tag="failure"):
    """Worker, supervisor: the request was refused, or failed. The session goes on."""

    id: Number | None = None
    error: str
    """A class of the error tree."""
    code: str
    message: str
    hint: str | None = None

    @classmethod
    def of(cls, error: Error, *, id: int | None = None) -> Failure:
        """Describe an error of our tree."""
        return cls(
            id=id,
            # The nearest class of the tree itself: a seam may have refined it.
            error=next(kind.__name__ for kind in type(error).__mro__ if kind in _KINDS),
            code=error.code,
            message=str(error)[:_MAX_TEXT_CHARS],
            hint=None if error.hint is None else error.hint[:_MAX_TEXT_CHARS],
        )

    def to_error(self) -> Error:
        """Return the error that this message describes.

        Raises:
            FormatError: no such class of errors.
        """
        kind = _ERROR_KINDS.get(self.error)
        if kind is None:
            raise FormatError("a message names an unknown kind of error", code="unexpected-message")
        return kind(self.message, code=self.code, hint=self.hint)


Message = (
    Open
    | Opened
    | Prepare
    | Prepared
    | Load
    | Ready
    | Predict
    | Explain
    | Answer
    | Export
    | File
    | Chunk
    | Exported
    | Failure
)
