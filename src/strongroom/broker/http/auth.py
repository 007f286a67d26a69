"""Who asks: client assertions for tokens, and tokens with proofs for everything else (RFC 9449).

    find = candidates(store.read, owner_id)
    gate = Gate(find, AccessTokens(keys, url), Nonces(), clock.now, url=url, owner_id=owner_id)
    answer = gate.issue(form, head)                  # POST /v1/token
    principal = gate.admit(head)                     # every other route that is not public

The address that proofs are made for is the configured one. What ``Host``, ``Forwarded`` and
``X-Forwarded-*`` say is never read, so it cannot lie. Unknown and wrong are refused in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from http import HTTPStatus
from typing import Final

from strongroom._limits import LIMITS
from strongroom.broker.http.access_token import LIFE_SECONDS, AccessTokens, Claims
from strongroom.broker.http.nonce import Nonces
from strongroom.broker.principal import Principal, PrincipalKind
from strongroom.broker.repository import Reading
from strongroom.broker.services.admission import Candidate, find_candidate, unknown_principal
from strongroom.crypto import dpop, jws
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import BrokerRefused, Error, FormatError, VerificationError
from strongroom.keys.assertion import ClientAssertion, verify_assertion
from strongroom.protocol.broker import ASSERTION_TYPE, PROOF_TYPE, TokenAnswer

_GRANT_TYPE: Final = "client_credentials"
_FORM: Final = frozenset({"grant_type", "client_assertion_type", "client_assertion"})
_SUBJECT: Final = re.compile(r"(run|mem)-[a-z2-7]{24}")
_ALGORITHMS: Final = 'algs="ES256"'


class NotAuthenticated(BrokerRefused):
    """Nobody, as far as the broker can tell."""

    default_code = "not-authenticated"

    def __init__(self, error: Error, oauth_error: str, status: HTTPStatus) -> None:
        super().__init__(str(error), code=error.code, hint=error.hint)
        self.oauth_error = oauth_error
        """The name that RFC 6749, RFC 6750 and RFC 9449 have for it."""
        self.status = status

    @property
    def challenge(self) -> str:
        """The ``WWW-Authenticate`` header."""
        return f'{PROOF_TYPE} error="{self.oauth_error}", {_ALGORITHMS}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is read of a request to know who asks. Its repr shows no token."""

    method: str
    path: str
    """As it was sent, without the query."""
    authorization: Sequence[str]
    proofs: Sequence[str]

    def __repr__(self) -> str:
        return f"Head({self.method!r}, {self.path!r})"


def candidates(
    view: Callable[[], AbstractContextManager[Reading]], owner_id: str
) -> Callable[[str], Candidate]:
    """Return what looks up who somebody says it is, by the id."""

    def find(subject: str) -> Candidate:
        if not _SUBJECT.fullmatch(subject):
            raise unknown_principal()
        kind = PrincipalKind.RUNTIME if subject.startswith("run-") else PrincipalKind.MEMBER
        with view() as kept:
            return find_candidate(kept, kind, subject, owner_id=owner_id)

    return find


class Gate:
    """Lets in who proves who it is. Safe to use from several threads."""

    def __init__(
        self,
        find: Callable[[str], Candidate],
        tokens: AccessTokens,
        nonces: Nonces,
        clock: Callable[[], datetime],
        *,
        url: str,
        owner_id: str,
    ) -> None:
        self._find = find
        self._tokens = tokens
        self._nonces = nonces
        self._clock = clock
        self._url = url
        self._owner_id = owner_id

    def fresh_nonce(self) -> str:
        """Return the nonce for the next proof."""
        return self._nonces.fresh()

    def issue(self, form: Mapping[str, str], head: Head) -> TokenAnswer:
        """Give an access token to whoever signed an assertion and proves the same key.

        Raises:
            NotAuthenticated: neither or only one of the two holds.
            BrokerRefused: it is pending, suspended or expired.
            StorageUnavailable: the database does not answer.
        """
        now = self._clock()
        try:
            subject = _read_form(form)
        except (FormatError, VerificationError) as error:
            raise NotAuthenticated(error, "invalid_request", HTTPStatus.BAD_REQUEST) from error
        try:
            candidate = self._find(subject)
            verify_assertion(
                form["client_assertion"], candidate.key, owner=self._owner_id, audience=self._url, now=now
            )
        except (FormatError, VerificationError, BrokerRefused) as error:
            # Whether an id is known is nobody's business: a wrong key gets the answer of no key.
            told = error if error.code.startswith("assertion-") else unknown_principal()
            raise NotAuthenticated(told, "invalid_client", HTTPStatus.UNAUTHORIZED) from error
        try:
            proof = self._prove(head, now, candidate.key, access_token=None)
        except (FormatError, VerificationError) as error:
            raise _bad_proof(error, HTTPStatus.BAD_REQUEST) from error
        principal = candidate.admit(now)
        return TokenAnswer(
            access_token=self._tokens.issue(principal, dpop.thumbprint(proof.public), now),
            token_type=PROOF_TYPE,
            expires_in=LIFE_SECONDS,
        )

    def admit(self, head: Head) -> Principal:
        """Return who sent a request.

        Raises:
            NotAuthenticated: it has no token, or no proof, or one of them does not hold.
            BrokerRefused: it is suspended or expired.
            StorageUnavailable: the database does not answer.
        """
        now = self._clock()
        try:
            token = _token_of(head)
            claims = self._tokens.verify(token, now)
            candidate = self._find(claims.sub)
            _verify_same(claims, candidate)
        except (FormatError, VerificationError, BrokerRefused) as error:
            raise NotAuthenticated(error, "invalid_token", HTTPStatus.UNAUTHORIZED) from error
        try:
            _verify_bound(claims, candidate)
            self._prove(head, now, candidate.key, access_token=token)
        except (FormatError, VerificationError) as error:
            raise _bad_proof(error, HTTPStatus.UNAUTHORIZED) from error
        return candidate.admit(now)

    def _prove(
        self, head: Head, now: datetime, key: SigningPublic, *, access_token: str | None
    ) -> dpop.Proof:
        if len(head.proofs) != 1:
            raise VerificationError(
                "a request needs exactly one DPoP header", code="proof-missing", hint="see RFC 9449"
            )
        proof = dpop.verify(
            head.proofs[0],
            method=head.method,
            url=self._url + head.path,
            now=now,
            max_skew_seconds=LIMITS.max_clock_skew_seconds,
            access_token=access_token,
        )
        if proof.public != key:
            raise VerificationError("a proof is by another key than the one known here", code="proof-key")
        # Last: only a proof that is good in all else is used up, and takes a place in memory.
        self._nonces.spend(proof.nonce, proof.public.key_id, proof.id)
        return proof


def _verify_same(claims: Claims, candidate: Candidate) -> None:
    if candidate.row.organization != claims.org:
        raise unknown_principal()


def _verify_bound(claims: Claims, candidate: Candidate) -> None:
    """Check that a token is bound to the key that its holder has here, and not to one of before."""
    if not compare_digest(dpop.thumbprint(candidate.key), claims.cnf.jkt):
        raise VerificationError("an access token is bound to another key", code="proof-key")


def _read_form(form: Mapping[str, str]) -> str:
    if not set(form) >= _FORM or form["grant_type"] != _GRANT_TYPE:
        raise FormatError(
            f"a token is asked for with grant_type {_GRANT_TYPE} and a client assertion", code="token-request"
        )
    if form["client_assertion_type"] != ASSERTION_TYPE:
        raise FormatError("another type of client assertion", code="token-request")
    try:
        unverified = jws.read_unverified(form["client_assertion"])
        if unverified.typ != ClientAssertion.TYP:
            raise FormatError("a document of another kind")
        return ClientAssertion.from_bytes(unverified.payload).sub
    except FormatError as error:
        raise FormatError(f"not a client assertion: {error}", code="assertion-format") from error


def _token_of(head: Head) -> str:
    if len(head.authorization) != 1:
        raise VerificationError(
            "an access token is needed", code="token-missing", hint="get one from /v1/token"
        )
    scheme, _, token = head.authorization[0].partition(" ")
    if scheme.lower() != PROOF_TYPE.lower():
        # A token that works without its key would work for whoever steals it.
        raise VerificationError("access tokens go with the scheme DPoP only", code="token-scheme")
    return token.strip()


def _bad_proof(error: Error, status: HTTPStatus) -> NotAuthenticated:
    named = "use_dpop_nonce" if error.code == "use-dpop-nonce" else "invalid_dpop_proof"
    return NotAuthenticated(error, named, status)
