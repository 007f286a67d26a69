"""The owner's server: who may have which key, for how long, how often and where (DESIGN section 6).

``decide`` is the decision, pure. ``services`` has one file for each thing that people and
runtimes do. ``repository`` says what is kept, ``sql`` keeps it; ``ledger`` makes each act and
its log entry one transaction. ``http`` is the transport (spec/broker-api.md).
"""
