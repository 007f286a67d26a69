"""Every limit of serving, with its unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """Upper bounds; what is above is refused in the shape of the protocol."""

    max_body_bytes: int = 256 << 20
    """One request with binary tensors."""
    max_json_bytes: int = 32 << 20
    """The JSON of one request: its numbers take ten times as much memory as objects."""
    max_pending_bytes: int = 512 << 20
    """The bodies of all requests that are under way."""
    max_waiting: int = 64
    """Requests to one model that wait or are computed."""
    max_connections: int = 256
    """Open at once; above it, where those who may ask hold more than half, the oldest of theirs goes over
    which nothing is computed, else the oldest over which nobody was answered who may ask."""
    max_target_bytes: int = 2048
    """The path of a request."""
    body_seconds: float = 30.0
    """How long a body may take to arrive."""
    handshake_seconds: float = 5.0
    """How long a TLS handshake may take, once there is one."""
    header_seconds: float = 5.0
    """How long the head of a request may take to arrive."""
    answer_seconds: float = 30.0
    """How long a client may take to read an answer, or each 256 KiB of a longer one."""
    keep_alive_seconds: int = 75
    """How long a connection may idle between requests."""
    shutdown_seconds: int = 10
    """How long requests under way may take when it ends."""
