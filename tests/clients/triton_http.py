"""What a user of ``tritonclient`` does, in the environment where that is installed; prints what came back.

    python triton_http.py URL HEADER_FILE MODEL INPUT < rows.json

Nothing of ours is imported here: this is somebody else's program.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tritonclient.http as triton


def main(url: str, header_file: str, model: str, name: str) -> None:
    scheme, _, token = Path(header_file).read_text("ascii").strip().partition(": ")
    headers = {scheme: token}
    rows = np.array(json.load(sys.stdin), dtype=np.float32)
    client = triton.InferenceServerClient(url)
    said = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready(model, headers=dict(headers)),
        "extensions": client.get_server_metadata(headers=dict(headers))["extensions"],
        "metadata": client.get_model_metadata(model, headers=dict(headers)),
    }
    for binary in (True, False):
        given = triton.InferInput(name, list(rows.shape), "FP32")
        given.set_data_from_numpy(rows, binary_data=binary)
        wanted = triton.InferRequestedOutput("probabilities", binary_data=binary)
        answer = client.infer(model, [given], outputs=[wanted], request_id="7", headers=dict(headers))
        labels = client.infer(model, [given], headers=dict(headers))
        said["binary" if binary else "json"] = {
            "id": answer.get_response()["id"],
            "probabilities": answer.as_numpy("probabilities").tolist(),
            "labels": [
                label.decode() if isinstance(label, bytes) else label
                for label in labels.as_numpy("label").tolist()
            ],
        }
    try:
        given = triton.InferInput(name, [1, 1], "FP32")
        given.set_data_from_numpy(rows[:1, :1])
        client.infer(model, [given], headers=dict(headers))
    except triton.InferenceServerException as error:
        said["refusal"] = [error.status(), error.message()]
    print(json.dumps(said))


main(*sys.argv[1:])
