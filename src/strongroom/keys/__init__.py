"""Identities: keys and their texts, the owner document, invites and enrollments.

Which module does what:

* ``text``: a public or secret key as one line of text that carries its kind.
* ``key_pair``: signing and sealing keys with their kind.
* ``key_file``: the file that holds one key, in the clear or under a pass-phrase.
* ``strength``: which pass-phrases are strong enough.
* ``name``: how owners and partners may be called.
* ``owner_document`` and ``owner``: what a partner pins, its rotations, which key may sign what.
* ``introduction``: how an owner and a partner meet: invite, enrollment, fingerprint.
* ``member``: a partner says which person may do what for it at a broker.
* ``intake``: the key to which content keys are wrapped on their way into a broker.

The normative text is spec/keys.md. Nothing here reads a disk, a network or a clock.
"""
