"""Loaders: from the decrypted files of a package to a model that answers, in memory only.

    loader = registry.find("onnx")
    model = loader.load(files, spec, schema, threads=2)
    model.predict({"input": rows}, "predict_proba")

``interface.py`` is the seam; each technology has a file of its own. No loader
opens, writes or executes anything: it gets bytes and gives arrays.
"""
