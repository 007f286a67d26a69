"""Where content keys rest: the seam between an owner and its key-encryption key (spec/keys.md).

* ``interface``: the two methods, and the name of a key.
* ``software``: a key in memory, read from a file.
* ``pkcs11``: a key on a hardware token.
* ``key_ring``: the key in force, and the ones before it that rows may still be under.
"""
