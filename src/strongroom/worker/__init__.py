"""The sealed worker: the one process that holds keys and weights, and what both its ends share.

The protocol is ``spec/worker-protocol.md``: ``messages`` names what is said, ``frames``
turns it into bytes, ``tensor`` turns arrays into tensors, ``channel`` carries frames over a
socket. ``launch`` hardens a process before anything else runs in it, ``session`` is the
worker's own life: unwrap the key, open the package, load the model, answer.
"""
