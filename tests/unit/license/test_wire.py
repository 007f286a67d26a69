"""The bytes of every term and every document, which never change.

If one of these tests fails, the format was changed: signed licenses in the field would
mean something else, or nothing. A new meaning is a new tag or a new ``format``.
"""

from __future__ import annotations

import pytest

from strongroom._encoding import canonical_json
from strongroom.license.documents import KINDS, Document
from strongroom.license.payload import from_payload, to_payload
from strongroom.license.terms import REGISTRY, decode_term, encode_term
from tests.unit.license.samples import DOCUMENTS, SEALING_TEXT, TERMS

TERM_BYTES = {
    "not-before": ('{"at":"2026-11-23T03:00:00Z","term":"not-before"}'),
    "expires": ('{"at":"2027-06-30T22:00:00Z","term":"expires"}'),
    "packages": (
        '{"packages":[{"at_least":"1.2.0","below":"2.0.0","name":"risk"},{"digest":"abababababababa'
        'babababababababababababababababababababababababab"}],"term":"packages"}'
    ),
    "rights": ('{"rights":["evaluate","explain","export","modify","predict","sublicense"],"term":"rights"}'),
    "levels": ('{"at_least":"sealed","term":"levels"}'),
    "predictions": ('{"limit":1000,"per":"day","term":"predictions"}'),
    "tokens": ('{"limit":1000000,"per":"month","term":"tokens"}'),
    "explanations": ('{"limit":100,"per":"year","term":"explanations"}'),
    "rate": ('{"limit":50,"seconds":1,"term":"rate"}'),
    "runtimes": ('{"limit":3,"term":"runtimes"}'),
    "output": ('{"decimals":2,"policy":"rounded","term":"output"}'),
    "purpose": ('{"purposes":["research","triage"],"term":"purpose"}'),
    "grace": ('{"hours":72,"predictions":5000,"term":"grace"}'),
    "break-glass": ('{"hours":24,"term":"break-glass","uses":2}'),
    "offline": ('{"files":3,"hours":720,"term":"offline"}'),
    "agreement": (
        '{"digest":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","term":"agreement"}'
    ),
    "derivations": ('{"term":"derivations","to":"' + SEALING_TEXT + '"}'),
}

DOCUMENT_BYTES = {
    "license": (
        '{"format":"license/v1","issued_at":"2026-11-23T03:00:00Z","owner":"own-ooooooooooooooooooo'
        'ooooo","owner_version":1,"partner":{"name":"clinic","organization":"strongroom-organizatio'
        'n-public.AzJQ_PaGY3x7LkrIbrRzvKU6WCE59CsVI_12Nk5nOZ6DhGVz0g"},"serial":"001122334455667788'
        '99aabbccddeeff","terms":[{"packages":[{"name":"risk"}],"term":"packages"},{"rights":["eval'
        'uate","explain","predict","sublicense"],"term":"rights"},{"at_least":"local","term":"level'
        's"},{"at":"2027-06-30T22:00:00Z","term":"expires"}]}'
    ),
    "sublicense": (
        '{"format":"sublicense/v1","holder":{"name":"ward","organization":"strongroom-organization-'
        'public.AsDdJBpQ1I-Z_MehhqbUTgdj7JBHjh3vjjb1xOlQ1nr7Lj4fqA"},"issued_at":"2026-11-23T03:00:'
        '00Z","parent":"lic-llllllllllllllllllllllll","serial":"00112233445566778899aabbccddeeff","'
        'terms":[{"limit":1000,"per":"day","term":"predictions"}]}'
    ),
    "acceptance": (
        '{"accepted_at":"2026-11-23T03:00:00Z","agreement":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdc'
        'dcdcdcdcdcdcdcdcdcdcdcdcd","format":"acceptance/v1","license":"lic-lllllllllllllllllllllll'
        'l","organization":"strongroom-organization-public.AzJQ_PaGY3x7LkrIbrRzvKU6WCE59CsVI_12Nk5n'
        'OZ6DhGVz0g"}'
    ),
    "offline": (
        '{"budget":[{"counter":"predictions","limit":500,"per":"day"}],"format":"offline/v1","issue'
        'd_at":"2026-11-23T03:00:00Z","license":"lic-llllllllllllllllllllllll","not_after":"2027-06'
        '-30T22:00:00Z","owner":"own-oooooooooooooooooooooooo","owner_version":1,"package":"abababa'
        'babababababababababababababababababababababababababababab","package_id":"0123456789abcdef0'
        '123456789abcdef","runtime":"run-rrrrrrrrrrrrrrrrrrrrrrrr","serial":"00112233445566778899aa'
        'bbccddeeff","wrapped_key":"AAAA"}'
    ),
    "passphrase": (
        '{"format":"passphrase/v1","issued_at":"2026-11-23T03:00:00Z","license":"lic-llllllllllllll'
        'llllllllll","not_after":"2027-06-30T22:00:00Z","owner":"own-oooooooooooooooooooooooo","own'
        'er_version":1,"package":"abababababababababababababababababababababababababababababababab"'
        ',"package_id":"0123456789abcdef0123456789abcdef","serial":"00112233445566778899aabbccddeef'
        'f","wrapped_key":"AAAA"}'
    ),
    "lease": (
        '{"budget":[{"counter":"predictions","limit":500,"per":"day"}],"format":"lease/v1","issued_'
        'at":"2026-11-23T03:00:00Z","license":"lic-llllllllllllllllllllllll","nonce":"fffffffffffff'
        'fffffffffffffffffff","not_after":"2026-11-23T03:15:00Z","owner":"own-ooooooooooooooooooooo'
        'ooo","owner_version":1,"package":"abababababababababababababababababababababababababababab'
        'abababab","package_id":"0123456789abcdef0123456789abcdef","previous":"lea-aaaaaaaaaaaaaaaa'
        'aaaaaaaa","restart_key":"BBBB","runtime":"run-rrrrrrrrrrrrrrrrrrrrrrrr","serial":"00112233'
        '445566778899aabbccddeeff","wrapped_key":"AAAA"}'
    ),
    "withdrawal": (
        '{"format":"withdrawal/v1","issued_at":"2026-11-23T03:00:00Z","name":"risk","owner":"own-oo'
        'oooooooooooooooooooooo","owner_version":1,"package":"ababababababababababababababababababa'
        'bababababababababababababab","permits":"1.2.0","reason":"wrong unit of creatinine","versio'
        'n":"1.3.0"}'
    ),
    "revocation": (
        '{"format":"revocation/v1","issued_at":"2026-11-23T03:00:00Z","owner":"own-oooooooooooooooo'
        'oooooooo","owner_version":1,"reason":"the contract ended","target":"lic-llllllllllllllllll'
        'llllll"}'
    ),
    "usage": (
        '{"authority":"off-aaaaaaaaaaaaaaaaaaaaaaaa","break_glass":[{"reason":"network of the ward '
        'is down","started_at":"2026-11-23T03:00:00Z"}],"counts":[{"count":12,"counter":"prediction'
        's","document":"lic-llllllllllllllllllllllll","period":"2026-11-23"}],"format":"usage/v1","'
        'issued_at":"2026-11-23T03:00:00Z","license":"lic-llllllllllllllllllllllll","previous":null'
        ',"runtime":"run-rrrrrrrrrrrrrrrrrrrrrrrr"}'
    ),
    "receipt": (
        '{"format":"receipt/v1","input":"1111111111111111111111111111111111111111111111111111111111'
        '111111","issued_at":"2026-11-23T03:00:00Z","license":"lic-llllllllllllllllllllllll","outpu'
        't":"2222222222222222222222222222222222222222222222222222222222222222","package":"ababababa'
        'bababababababababababababababababababababababababababab","part":null,"right":"predict","ru'
        'ntime":"run-rrrrrrrrrrrrrrrrrrrrrrrr"}'
    ),
    "lease-request": (
        '{"format":"lease-request/v1","issued_at":"2026-11-23T03:00:00Z","level":"sealed","license"'
        ':"lic-llllllllllllllllllllllll","nonce":"ffffffffffffffffffffffffffffffff","owner":"own-oo'
        'oooooooooooooooooooooo","package":"abababababababababababababababababababababababababababa'
        'babababab","predictions":500,"previous":"lea-aaaaaaaaaaaaaaaaaaaaaaaa","runtime":"run-rrrr'
        'rrrrrrrrrrrrrrrrrrrr","worker_key":"333333333333333333333333333333333333333333333333333333'
        '3333333333"}'
    ),
    "derivation": (
        '{"format":"derivation/v1","issued_at":"2026-11-23T03:00:00Z","license":"lic-llllllllllllll'
        'llllllllll","name":"risk","owner":"own-oooooooooooooooooooooooo","package":"cdcdcdcdcdcdcd'
        'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","package_id":"0123456789abcdef01234567'
        '89abcdef","parent":"abababababababababababababababababababababababababababababababab","ser'
        'ial":"00112233445566778899aabbccddeeff","version":"1.3.0","wrapped_key":"AAAA"}'
    ),
    "runtime-certificate": (
        '{"device":"strongroom-device-public.AzAdnlAtx-BdqF2gJqeumqD6ydt9UqlbPj4_mqChtFuLVFnzvA",'
        '"format":"runtime-certificate/v1","issued_at":"2026-11-23T03:00:00Z","owner":"own-oooooo'
        'oooooooooooooooooo","runtime":"run-u7ows7rw3w6y7n5bzotdqrts"}'
    ),
    "receipt-batch": (
        '{"authority":"off-aaaaaaaaaaaaaaaaaaaaaaaa","first":12,"format":"receipt-batch/v1","issu'
        'ed_at":"2026-11-23T03:00:00Z","level":"sealed","license":"lic-llllllllllllllllllllllll",'
        '"method":"predict","package":"ababababababababababababababababababababababababababababab'
        'ababab","part":null,"predictions":3,"right":"predict","root":"44444444444444444444444444'
        '44444444444444444444444444444444444444","runtime":"run-rrrrrrrrrrrrrrrrrrrrrrrr","sessio'
        'n":"ffffffffffffffffffffffffffffffff","size":3}'
    ),
}

IDS = {
    "license": "lic-e6q6hyjwpc5dnqdge5c54qs3",
    "sublicense": "sub-lchzb7ftfeeflbhhf3ndhqyo",
    "acceptance": "acc-qy7v357eslmwq7sfjjjzuusz",
    "offline": "off-yupp3lrvhfxbtbrhpwt7x3rz",
    "passphrase": "pwd-kpqwiu5dpst4gvckb2yzj6tl",
    "lease": "lea-xtnglo2t32q4vn6b6ngux3q3",
    "withdrawal": "wdr-h2aybwftk7gee7tduwe3447t",
    "revocation": "rev-pes3ngy5sqs46iobcqfdj2o4",
    "usage": "use-r4kis3bwqq52fdwedz5uzbqh",
    "receipt": "rct-l3nku2quephywembmncg2ngu",
    "lease-request": "req-ewt52gez6m4a34b4z6v2n7vb",
    "derivation": "drv-umvircztk5qgpnccn4xalnz3",
    "runtime-certificate": "rtc-57oukl3r4f6di6hkhvkopb6i",
    "receipt-batch": "rcb-d5m3avryj4zpj5vjvo5huafk",
}


def test_every_term_and_every_document_is_pinned() -> None:
    assert list(TERM_BYTES) == list(REGISTRY) == list(TERMS)
    assert list(DOCUMENT_BYTES) == [kind.NAME for kind in KINDS]
    assert list(IDS) == list(DOCUMENTS) == list(DOCUMENT_BYTES)


@pytest.mark.parametrize("tag", REGISTRY)
def test_the_bytes_of_a_term(tag: str) -> None:
    assert canonical_json(encode_term(TERMS[tag])).decode() == TERM_BYTES[tag]
    assert decode_term(encode_term(TERMS[tag])) == TERMS[tag]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.NAME))
def test_the_bytes_and_the_id_of_a_document(kind: type[Document]) -> None:
    document = DOCUMENTS[kind.NAME]
    assert to_payload(document).decode() == DOCUMENT_BYTES[kind.NAME]
    assert document.id == IDS[kind.NAME]
    assert from_payload(DOCUMENT_BYTES[kind.NAME].encode(), kind) == document


def test_the_names_of_the_kinds() -> None:
    assert [(kind.typ(), kind.PREFIX) for kind in KINDS] == [
        ("strongroom-license+jws", "lic-"),
        ("strongroom-sublicense+jws", "sub-"),
        ("strongroom-acceptance+jws", "acc-"),
        ("strongroom-offline+jws", "off-"),
        ("strongroom-passphrase+jws", "pwd-"),
        ("strongroom-lease+jws", "lea-"),
        ("strongroom-withdrawal+jws", "wdr-"),
        ("strongroom-revocation+jws", "rev-"),
        ("strongroom-usage+jws", "use-"),
        ("strongroom-receipt+jws", "rct-"),
        ("strongroom-lease-request+jws", "req-"),
        ("strongroom-derivation+jws", "drv-"),
        ("strongroom-runtime-certificate+jws", "rtc-"),
        ("strongroom-receipt-batch+jws", "rcb-"),
    ]
