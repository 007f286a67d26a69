"""Cryptography: the only layer that imports ``cryptography`` and ``joserfc``.

Each file wraps one construction of those libraries behind a call that is hard to
misuse: algorithms are fixed, failures raise, contexts are mandatory. Nothing here
knows what a package or a license is; the strings that keep their uses apart stand
in one table, ``labels``.
"""
