"""The SDK of a partner: open a licensed model, ask it, export it where the license allows.

    model = strongroom.open("risk")
    model.predict(frame)

``model`` is the object that people use, ``inputs`` and ``outputs`` turn their tables into
tensors and back (``tables`` has one file for each library), ``process`` runs the runtime,
``exporting`` writes the files of a package to a folder.
"""

from strongroom.client.explanation import Explanation
from strongroom.client.exporting import Exported, export
from strongroom.client.info import ModelInfo
from strongroom.client.model import Model, open
from strongroom.client.outputs import TopK
from strongroom.client.receipts import Receipts

__all__ = ["Explanation", "Exported", "Model", "ModelInfo", "Receipts", "TopK", "export", "open"]
