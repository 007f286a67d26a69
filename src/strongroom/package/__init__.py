"""Packages: a model, encrypted in segments, with an index and a statement signed by its owner.

    with PackageWriter(sink, name="risk", ..., content_key=key) as writer:     # writer.py
        with writer.file("model.onnx", size) as file:
            file.write(chunk)
        written = writer.finish(loader=loader, schema=schema, bom=bom, sign=sign)

    package = PackageReader.open(source, keys, owner=owner_id)                 # reader.py
    model = package.unlock(content_key).read("model.onnx")

``spec/package.md`` is the normative text. This layer turns bytes into values or
errors; it touches no disk, network or clock.
"""
