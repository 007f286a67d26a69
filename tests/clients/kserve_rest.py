"""What a user of the ``kserve`` client does, in the environment where that is installed.

    python kserve_rest.py URL HEADER_FILE MODEL INPUT < rows.json

Nothing of ours is imported here: this is somebody else's program.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def main(url: str, header_file: str, model: str, name: str) -> None:
    scheme, _, token = Path(header_file).read_text("ascii").strip().partition(": ")
    headers = {scheme: token}
    rows = np.array(json.load(sys.stdin), dtype=np.float32)
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=30))
    base = f"http://{url}"
    said = {"live": await client.is_server_live(base), "ready": await client.is_server_ready(base)}
    said["model_ready"] = await client.is_model_ready(base, model, headers=dict(headers))
    for binary in (True, False):
        given = InferInput(name, list(rows.shape), "FP32")
        given.set_data_from_numpy(rows, binary_data=binary)
        request = InferRequest(
            model,
            [given],
            request_id="7",
            parameters={"method": "predict_proba", "binary_data_output": binary},
        )
        answer = await client.infer(base, request, model_name=model, headers=dict(headers))
        said["binary" if binary else "json"] = {
            "id": answer.id,
            "probabilities": answer.outputs[0].as_numpy().tolist(),
        }
    print(json.dumps(said))


asyncio.run(main(*sys.argv[1:]))
