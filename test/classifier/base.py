"""Makes base.reference.json: what scikit-learn 1.9 and the makers of darknet-tiny's reference say, for base.test.ts.

    python base.py darknet-tiny.reference.safetensors
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression

random = np.random.default_rng(3)


def regression(samples, width, classes, C):
    labels = np.arange(samples) % classes
    features = random.normal(size=(samples, width)).astype(np.float32).astype(np.float64)
    features[np.arange(samples), labels] += 1
    model = LogisticRegression(C=C, tol=1e-12, max_iter=100_000).fit(features, labels)
    return {
        "features": features.ravel().tolist(),
        "labels": labels.tolist(),
        "classes": classes,
        "C": C,
        "weights": model.coef_.T.ravel().tolist(),
        "intercepts": (model.intercept_ - (model.intercept_.mean() if classes > 2 else 0)).tolist(),
    }


def distances(samples, width, classes):
    labels = np.arange(samples) % classes
    features = (random.normal(size=(samples, width)) @ random.normal(size=(width, width)) + 3 * labels[:, None]).astype(np.float32)
    others = (random.normal(size=(5, width)) * 6).astype(np.float32)
    x = features.astype(np.float64)
    mean, deviation = x.mean(0), x.std(0)
    z, w = (x - mean) / deviation, (others - mean) / deviation
    centres = np.stack([z[labels == label].mean(0) for label in range(classes)])
    precision = LedoitWolf(assume_centered=True).fit(z - centres[labels]).precision_
    squares = [np.einsum("ij,jk,ik->i", w - centre, precision, w - centre) for centre in centres]
    return {
        "features": features.ravel().tolist(),
        "labels": labels.tolist(),
        "classes": classes,
        "others": others.ravel().tolist(),
        "distances": np.sqrt(np.min(squares, 0)).tolist(),
    }


reference = safe_open(sys.argv[1], "numpy")
files = reference.metadata()["files"].split("\n")
rows = {"test-a1.jpg": "rothman/test_set/A/dp1.1.jpg", "test-a2.jpg": "rothman/test_set/A/dp1.6.jpg"}
pooled = {
    name: [float(f"{value:.7g}") for value in reference.get_tensor("pooled512")[files.index(file)]]
    for name, file in rows.items()
}
result = {
    "regressions": [regression(40, 6, 2, 0.1), regression(60, 5, 3, 1.0)],
    "distances": distances(60, 8, 2),
    "pooled512": pooled,
}
Path(__file__).with_name("base.reference.json").write_text(json.dumps(result) + "\n")
