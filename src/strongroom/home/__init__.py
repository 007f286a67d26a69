"""The directory of one party: the only layer that knows the names of files on its disk.

    home = Home.open()                        # --home, STRONGROOM_HOME, or the user's data directory
    home.keys.organization()                  # secret keys
    home.trust.confirmed("hospital")          # pinned owners
    home.catalog.resolve("risk")              # which package, which license
    home.vault.content_keys, home.vault.partners, home.vault.seals, home.vault.grants
    home.marks.reserve(chain, request, facts, now)

Everything inside is keyed by owner id: what one owner gave never mixes with what
another gave. Reading and writing happen here and nowhere below; the rules that
decide what the bytes mean live in ``keys``, ``license`` and ``package``.
"""

from strongroom.home.home import Home

__all__ = ["Home"]
