"""The owner's log: an append-only Merkle tree of what happened, which both sides can verify.

Which module does what:

* ``entry`` and ``disclosure``: what is logged, and what those entitled are given.
* ``merkle``: hashing, and checking proofs. ``frontier``: a tree that grows. ``tile``: the files
  that a tree is served as. ``tree``: proofs from these files.
* ``verifier_key``, ``note``, ``checkpoint``, ``cosignature``, ``verifiers``: signed states of a log.
* ``origin``: the name of a log.
* ``proof`` and ``offer``: what a log hands out: one entry is in it; it continues what you saw.
* ``cosigned``: what a witness hands in.
* ``witness``: the partner's side, which keeps one checkpoint and notices a rewritten log.

The normative text is spec/log.md, a profile of the C2SP documents on transparency logs. Nothing
here reads a disk, a network or a clock.
"""
