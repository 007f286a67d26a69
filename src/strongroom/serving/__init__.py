"""Open models for programs in any language: the Open Inference Protocol v2 over HTTP, on this machine.

    curl -H @authorization http://127.0.0.1:8470/v2/models/risk
    curl -H @authorization http://127.0.0.1:8470/v2/models/risk/infer -d '{"inputs": [...]}'

The process that reads what strangers send is a client of the supervisor like the SDK, and asks it one
request after another; no content key and no weights are ever in it (docs/adr/0020).
``inference`` reads and writes the protocol, ``served_model`` keeps one model open, ``app`` answers,
``address`` says where.
"""
