"""The Python half of check-keras.mjs: opens each exported model with Keras 3 and compares its predictions."""

import glob
import json
import os
import struct
import sys
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np

folder = sys.argv[1]
with open(os.path.join(folder, "cases.safetensors"), "rb") as file:
    data = file.read()
(length,) = struct.unpack("<Q", data[:8])
header = json.loads(data[8 : 8 + length])


def array(name):
    first, end = header[name]["data_offsets"]
    return np.frombuffer(data[8 + length + first : 8 + length + end], "<f4").reshape(header[name]["shape"])


worst = 0.0
for path in sorted(glob.glob(os.path.join(folder, "*.keras"))):
    name = os.path.splitext(os.path.basename(path))[0]
    model = keras.models.load_model(path)
    with zipfile.ZipFile(path) as archive:
        written = [layer["config"]["name"] for layer in json.loads(archive.read("config.json"))["config"]["layers"]]
    if isinstance(model, keras.Sequential):
        written = written[1:]
    if [layer.name for layer in model.layers] != written:
        sys.exit(f"{name}: Keras has the layers in another order: {[layer.name for layer in model.layers]}, written {written}")
    y = model.predict(array(f"{name}.x"), verbose=0)
    ours, first = (float(np.abs(y - array(f"{name}.{which}")).max()) for which in ("beltnet", "keras"))
    worst = max(worst, ours, first)
    print(f"{name:10} {len(model.layers):3} layers   to beltnet {ours:.1e}   to the original {first:.1e}")
print(f"Keras {keras.__version__} on {keras.backend.backend()}: largest difference {worst:.1e}, at most 1e-5 is asked")
sys.exit(0 if worst <= 1e-5 else 1)
