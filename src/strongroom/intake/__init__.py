"""Intake: what sealing takes, read without running it, and what it turns away.

    source = read_source(pipeline, name="risk", sample=X)
    for file in source.files:
        for chunk in file.chunks():
            ...

``source`` is the way in. ``refuse`` turns away everything that would run code when
it is loaded; ``onnx_graph`` and ``estimator`` say what a model takes and gives;
``convert`` makes ONNX of an estimator; ``proof`` compares a sealed copy with the
original; ``bom`` writes the bill of materials. Nothing here writes to a disk.
"""
