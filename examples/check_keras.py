"""Does Keras 3 see what beltnet sees? Compares probabilities for pictures resized by Pillow's nearest.

    beltnet export model.safetensors -o model.keras
    beltnet predict model.safetensors pictures/*.jpg --json > predictions.jsonl
    python check_keras.py model.keras predictions.jsonl --rescale 1/255
"""

import argparse
import json
from fractions import Fraction

import keras
import numpy as np
from PIL import Image

parser = argparse.ArgumentParser()
parser.add_argument("model", help="what beltnet export wrote")
parser.add_argument("predictions", help="what beltnet predict --json printed")
parser.add_argument("--rescale", type=Fraction, default=Fraction(1, 255))
parser.add_argument("--tolerance", type=float, default=1e-5)
options = parser.parse_args()

model = keras.models.load_model(options.model)
_, height, width, _ = model.input_shape
worst = 0.0
with open(options.predictions) as lines:
    for line in map(json.loads, lines):
        picture = Image.open(line["file"]).convert("RGB").resize((width, height), Image.Resampling.NEAREST)
        x = np.asarray(picture, np.float32) * np.float32(float(options.rescale))
        y = model.predict(x[None], verbose=0)[0]
        expected = [1 - y[0], y[0]] if len(y) == 1 else y
        difference = np.abs(np.array(list(line["probabilities"].values())) - expected).max()
        worst = max(worst, float(difference))
        print(f"{line['file']}: {difference:.1e}")
print(f"largest difference {worst:.1e}")
raise SystemExit(0 if worst <= options.tolerance else 1)
