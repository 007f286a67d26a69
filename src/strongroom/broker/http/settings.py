"""How the broker listens: addresses, limits and times.

settings = HttpSettings(url="https://broker.hospital.example:8443")
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Everything about the transport that an operator may choose. Sizes in bytes, times in seconds."""

    url: str
    """Where partners reach the broker, without a path: what proofs are made for. No request changes it."""
    behind_proxy: bool = False
    """Whether strangers come through a proxy on this machine, so that a loopback address proves nothing."""
    max_body_bytes: int = 4 << 20
    """One request of somebody who has shown who it is: a license with its agreement."""
    max_stranger_body_bytes: int = 256 << 10
    """One request of anybody else, and any at a route for everybody: an enrollment."""
    max_target_bytes: int = 4 << 10
    """Path and query."""
    body_seconds: float = 10.0
    """How long a client may take to send its body."""
    answer_seconds: float = 30.0
    """How long a client may take to read an answer, or each 256 KiB of a longer one."""
    handshake_seconds: float = 5.0
    """How long a client may take for the TLS handshake."""
    header_seconds: float = 5.0
    """How long a client may take to send its headers, counted from the connection or the answer before."""
    keep_alive_seconds: int = 75
    """How long an idle connection stays open: longer than a runtime waits between two polls."""
    shutdown_seconds: int = 20
    """How long requests under way may take to finish when the broker ends."""
    max_connections: int = 1000
    """Open at once; above it, one goes of an organization that holds more than half, else the oldest that
    has shown no access token, else one of the organization that holds the most."""
    max_requests: int = 256
    """Requests under way at once that show an access token; above it, 503."""
    max_stranger_requests: int = 32
    """Requests under way at once of anybody else: strangers cannot take the places of partners."""
    max_page: int = 100
    """Items in one page."""
    remember_seconds: int = 24 * 3600
    """How long the answer to a write is kept for a repetition of it."""
    openapi: bool = False
    """Whether the OpenAPI document is served."""
