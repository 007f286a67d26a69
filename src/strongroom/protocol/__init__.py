"""What travels between parties: one definition of each message, for both ends.

``broker`` has the messages of the broker's HTTP interface (spec/broker-api.md). They
are plain data; what a token in them means is decided by ``license``, ``keys`` and ``log``.
"""
