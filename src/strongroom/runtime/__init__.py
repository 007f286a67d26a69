"""The supervisor: the process that decides, counts and shapes answers, and holds no secret of the model.

``python -I -m strongroom.runtime`` is started by the SDK with one end of a socket pair.
``supervisor`` serves that client, ``worker_process`` starts the sealed worker and talks
to it. The supervisor holds the device key; sealing key, content key and weights are the
worker's alone (spec/worker-protocol.md).
"""
