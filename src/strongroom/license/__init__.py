"""Licenses: what a partner may do with a package, signed by its owner, and how that is decided.

    file = LicenseFile.from_bytes(data)
    verified = verify_license_file(file, owner)
    verdict = evaluate(verified.chain, request, facts, now)

Which module does what:

* ``payload``: how a document becomes bytes, and how bytes become a document.
* ``period``: hours, days, months and years in which something is counted.
* ``terms``: the registry of terms, each with one check; ``term`` is what they share.
* ``documents``: license, sub-license, acceptance, offline file and the other kinds.
* ``signing``: which key may sign which kind; the only way to a verified document.
* ``chain``: a license with the sub-licenses under it.
* ``request``: what is asked for, and the facts that are known.
* ``verdict`` and ``codes``: yes or no, and every reason for a no.
* ``counters``: which counts a use is charged to, and how counts are reserved.
* ``marks``: clock and version marks, which only go up.
* ``evaluate``: the one decision function.
* ``offline``: what an offline file may carve out of a license; how long a revocation takes.
* ``key_binding``: content keys wrapped for one license, runtime and package.
* ``license_file``: the ``.license`` file.
* ``derivation``: what an owner checks before it countersigns a derived model.
* ``instants``: how people write an expiry.
* ``describe``: a license in plain sentences.

The normative text is spec/license.md. Nothing here reads a disk, a network or a
clock: ``now`` is an argument.
"""
