"""Publishing: the owner hands in a package's statement and content key, and takes versions back.

    publishing.publish(publisher, PackageAsk(statement=base64, content_key=base64))
    publishing.withdraw(publisher, WithdrawalAsk(withdrawal=token))

The package itself never comes here. Its content key arrives wrapped to the intake key for exactly
this package, and rests under the key-encryption key with the package digest as associated data: a
key handed in for one package opens no other, and a row moved in the database opens nothing.
"""

from __future__ import annotations

from strongroom._encoding import from_base64, to_base64, to_instant
from strongroom.broker.keys import BrokerKeys, content_key_purpose
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Principal
from strongroom.broker.records import PackageRow, WithdrawalRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.license_rows import licensed_choices
from strongroom.broker.services.ownership import verify_owner
from strongroom.broker.services.paging import page_of
from strongroom.broker.settings import Settings
from strongroom.errors import UsageError, VerificationError
from strongroom.keys.intake import unwrap_at_intake
from strongroom.keys.owner import Role
from strongroom.license.documents import Withdrawal
from strongroom.license.signing import Signed, verify_by_owner
from strongroom.log.entry import Kind
from strongroom.package.statement import Statement, read_unverified, verify_statement
from strongroom.protocol.broker import Done, PackageAnswer, PackageAsk, PackagePage, WithdrawalAsk


class Publishing:
    """The catalog."""

    __slots__ = ("_keys", "_ledger", "_settings")

    def __init__(self, ledger: Ledger, keys: BrokerKeys, settings: Settings) -> None:
        self._ledger = ledger
        self._keys = keys
        self._settings = settings

    def publish(self, principal: Principal, ask: PackageAsk) -> PackageAnswer:
        """Put a package into the catalog; the same one twice changes nothing.

        Raises:
            FormatError: not a statement, or not base64.
            VerificationError: not signed by this owner.
            IntegrityError: the content key is wrapped to another key or for another package.
            UsageError: another package has this name and version (``version-exists``).
            NoMatchingKey: the key provider refuses to be used.
            StorageUnavailable: the database or the key provider does not answer.
        """
        verify_owner(principal)
        data = from_base64(ask.statement)
        statement = self._verify(data)
        digest = statement.package_digest
        with self._ledger.view() as kept:
            known = kept.package(digest)
            if known is not None:
                return _answer(kept, known)
        wrapped, key_id = self._wrap_for_rest(ask.content_key, statement)

        def do(act: Act) -> PackageAnswer:
            return _add(act, principal, statement, data, wrapped, key_id)

        return self._ledger.act(do)

    def page(self, principal: Principal, after: str = "", limit: int = 100) -> PackagePage:
        """Return packages after a digest; a partner sees what its licenses cover.

        Raises:
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        count = self._settings.page(limit)
        with self._ledger.view() as kept:
            answers, following = page_of(
                lambda after, limit: kept.packages(after=after, limit=limit),
                lambda row: row.package,
                lambda row: _answer(kept, row),
                after=after,
                count=count,
                keep=_everything if principal.is_owner else licensed_choices(kept, principal.organization),
            )
            return PackagePage(packages=answers, next=following)

    def withdraw(self, principal: Principal, ask: WithdrawalAsk) -> Done:
        """Take in that a version must not run any more; the same one twice changes nothing.

        Raises:
            FormatError: not a withdrawal.
            VerificationError: not signed by this owner's license key, or it names another package
                than the one that was published (``wrong-package``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        signed = verify_by_owner(ask.withdrawal, Withdrawal, self._keys.owner())
        return self._ledger.act(lambda act: _withdraw(act, principal, signed))

    def _verify(self, data: bytes) -> Statement:
        owner = self._keys.owner()
        claimed = read_unverified(data)
        return verify_statement(data, owner.keys_for(Role.PACKAGE, claimed.created_at), owner=owner.id)

    def _wrap_for_rest(self, content_key: str, statement: Statement) -> tuple[bytes, str]:
        """Return the content key under the key-encryption key, and the name of that key."""
        digest = statement.package_digest
        key = unwrap_at_intake(
            content_key, self._keys.intake(), package=digest, package_id=statement.package_id
        )
        provider = self._keys.provider()
        return provider.wrap(key, content_key_purpose(digest)), provider.key_id


def _everything(row: PackageRow) -> bool:
    return True


def _add(
    act: Act, principal: Principal, statement: Statement, data: bytes, wrapped: bytes, key_id: str
) -> PackageAnswer:
    digest, version = statement.package_digest, statement.version.to_text()
    known = act.kept.package(digest)
    if known is not None:
        return _answer(act.kept, known)
    if any(each.version == version for each in act.kept.packages_called(statement.name)):
        raise UsageError(
            f"another package is published as {statement.name} {version}",
            code="version-exists",
            hint="a package never changes; seal it under a new version",
        )
    row = PackageRow(
        package=digest,
        package_id=statement.package_id,
        name=statement.name,
        version=version,
        statement=data,
        wrapped_key=wrapped,
        key_id=key_id,
        published_at=act.now,
    )
    act.kept.add_package(row)
    act.record(
        Kind.PUBLICATION,
        [principal.organization],
        name=statement.name,
        version=version,
        package=digest,
        by=principal.id,
    )
    act.changes_rules()
    return _answer(act.kept, row)


def _withdraw(act: Act, principal: Principal, signed: Signed[Withdrawal]) -> Done:
    document = signed.document
    known = any(each.withdrawal == signed.id for each in act.kept.withdrawals(document.name))
    if known and (before := entry_of(act.kept, signed.id)) is not None:
        return Done(entry=before)
    if not known:
        _add_withdrawal(act, signed)
    entry = act.record(
        Kind.WITHDRAWAL,
        [principal.organization, signed.id],
        document=signed.token,
        name=document.name,
        version=document.version,
        by=principal.id,
    )
    act.changes_rules()
    return Done(entry=entry)


def _add_withdrawal(act: Act, signed: Signed[Withdrawal]) -> None:
    document = signed.document
    for row in act.kept.packages_called(document.name):
        if row.version == document.version and row.package != document.package:
            raise VerificationError(
                f"a withdrawal of {document.name} {document.version} names another package than is published",
                code="wrong-package",
            )
    act.kept.add_withdrawal(
        WithdrawalRow(
            withdrawal=signed.id,
            name=document.name,
            version=document.version,
            token=signed.token,
            received_at=act.now,
        )
    )


def entry_of(kept: Reading, document: str) -> int | None:
    """Return the index of the first log entry about a document; None: it is in a log before this one."""
    rows = kept.entries_about([document], after=-1, limit=1)
    return rows[0].index if rows else None


def _answer(kept: Reading, row: PackageRow) -> PackageAnswer:
    return PackageAnswer(
        package=row.package,
        package_id=row.package_id,
        name=row.name,
        version=row.version,
        statement=to_base64(row.statement),
        published_at=to_instant(row.published_at),
        withdrawn=any(each.version == row.version for each in kept.withdrawals(row.name)),
    )
