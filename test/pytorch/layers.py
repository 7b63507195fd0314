"""layers.py FOLDER: what PyTorch makes of each FOLDER/*.safetensors for the numbers of *.input, as one line of JSON."""

import json
import pathlib
import sys

import torch

root = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(root / "examples" / "pytorch"))
from predict import load  # noqa: E402

outputs = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors")):
    network, metadata = load(path)
    x = torch.frombuffer(bytearray(path.with_suffix(".input").read_bytes()), dtype=torch.float32)
    x = x.reshape(-1, *metadata["architecture"]["inputShape"]).permute(0, 3, 1, 2)
    with torch.no_grad():
        outputs[path.stem] = network(x).flatten().tolist()
print(json.dumps(outputs))
