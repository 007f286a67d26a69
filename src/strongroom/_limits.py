"""Every size and count limit in one place, with its unit and its reason.

A parser checks the limit before it allocates or loops, so that hostile input
costs no more than honest input of the same length. What the package format
fixes for ever (segment size, digest size) is not here but in ``package.layout``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds. All sizes in bytes unless the name says otherwise."""

    max_json_bytes: int = 1 << 20
    """One JSON document outside a package: license, invite, owner document."""
    max_json_depth: int = 16
    """Nesting of any JSON; the deepest document of ours has 8 levels."""
    max_token_bytes: int = 1 << 20
    """One compact JWS."""
    max_proof_bytes: int = 4 << 10
    """One DPoP proof: a key, an address and a few ids."""
    max_broker_answer_bytes: int = 32 << 20
    """One answer of a broker: a page of a hundred records, or a license file as JSON text."""
    max_page_bytes: int = 8 << 20
    """What a broker lists in one answer, unless a single object is larger: an answer has room for that."""
    max_statement_bytes: int = 64 << 10
    """The signed statement of a package: digests and names, never lists of files."""
    max_derivation_bytes: int = 8 << 20
    """The record of a derivation file: a chain of licenses with its acceptances."""
    max_contents_bytes: int = 64 << 20
    """The decrypted contents: room for a tensor map of about 300,000 tensors."""
    max_contents_depth: int = 32
    """Nesting of the contents; bills of materials nest deeper than our own documents."""
    max_payload_bytes: int = 1 << 44
    """16 TiB: the index of such a package has 16 M entries, 512 MiB."""
    max_files: int = 65_536
    """Files in one package."""
    max_path_bytes: int = 1024
    """One file name inside a package, UTF-8."""
    max_name_chars: int = 64
    """A model, partner or owner name."""
    max_agreement_bytes: int = 1 << 20
    """An agreement text."""
    max_license_file_bytes: int = 8 << 20
    """A license file: the owner chain, the agreement text, and its documents."""
    max_license_files: int = 256
    """Documents of one kind in a license file: an offline file has about 3 KiB."""
    max_chain_length: int = 4
    """Documents from the license down to the narrowest sub-license."""
    max_sublicenses: int = 1024
    """Sub-licenses under one license, at any depth: a hospital group has some hundred sites."""
    max_holder_sublicenses: int = 64
    """Sub-licenses under one license for one holder, who need not have agreed: one a month for five years."""
    max_open_requests_length: int = 16
    """Requests for licenses of one partner that nobody has answered."""
    max_kept_requests_length: int = 64
    """Requests of one partner that are kept; the oldest answered one makes room."""
    max_request_chars: int = 500
    """The model, or the purpose, of a request for a license."""
    max_open_derivations_length: int = 16
    """Derived models of one partner that wait for the owner."""
    max_kept_derivations_length: int = 64
    """Derived models of one partner of which a broker knows; the oldest answered one makes room."""
    max_terms: int = 64
    """Terms in one license document."""
    max_owner_versions: int = 256
    """Owner documents in one chain of rotations: five a year for fifty years."""
    max_owner_chain_bytes: int = 512 << 10
    """A whole chain: it travels inside invites and license files, which are JSON documents."""
    max_roots: int = 16
    """Root keys in one owner document."""
    max_role_keys: int = 64
    """Keys in one role of an owner document; retired keys stay, so a key a year lasts a lifetime."""
    max_clock_skew_seconds: int = 300
    """How far the clocks of owner and partner may differ when they meet for the first time."""
    max_partner_runtimes: int = 100
    """Enrollments of one partner; about 7 KiB each in one JSON record of the vault."""
    max_pending_runtimes: int = 8
    """Enrollments of one organization that nobody has approved: a thief of an invite makes all it may."""
    max_url_chars: int = 255
    """The address of a broker, as an invite carries it."""
    max_certificate_bytes: int = 8 << 10
    """One X.509 certificate as PEM text; one with a 4096-bit RSA key has about 2 KiB."""
    max_note_bytes: int = 256 << 10
    """One signed note: a checkpoint with 64 post-quantum cosignatures has about 220 KiB."""
    max_proof_head_bytes: int = 64 << 10
    """What stands before the checkpoint in a proof of the log: 63 hashes and one record, as base64."""
    max_log_record_bytes: int = 16 << 10
    """One record of the log: ids, a digest and a few details, never a document."""
    max_log_subjects_length: int = 16
    """Ids in one record of the log: whom and what one act concerns."""
    max_log_details_length: int = 32
    """Details in one record of the log."""
    max_waiting_acts_length: int = 1024
    """Acts that wait for a broker's ledger; whoever comes then is told to come again."""
    max_group_acts_length: int = 256
    """Acts that a broker's ledger commits at a time: nobody waits for more than two such groups."""
    max_receipt_file_bytes: int = 64 << 20
    """Receipts of one batch, or their salts: about 400,000 of them."""
    max_client_tokens_length: int = 256
    """Client tokens of one home: each is compared at each request, and all of them fit in a key file."""
    max_key_file_bytes: int = 64 << 10
    """One key file."""
    max_frame_header_bytes: int = 4 << 20
    """The JSON head of one message between client, supervisor and worker."""
    max_frame_body_bytes: int = 1 << 32
    """The tensors of one message between client, supervisor and worker."""
    max_tensors: int = 65_536
    """Tensors in one message; a wide table may send each column as one."""
    max_tensor_dimensions: int = 8
    """Dimensions of one tensor."""
    max_passphrase_bytes: int = 1024
    """A pass-phrase, UTF-8; it must fit into a pipe that nobody reads yet."""
    max_expansion_factor: int = 100
    """How many times its own size a compressed file may unpack to; models reach about ten."""
    max_onnx_graph_bytes: int = (1 << 31) - 1
    """An ONNX graph without its external data: what protobuf can parse."""


LIMITS = Limits()
