"""Reference values of test/classifier/good-only.test.ts: `python test/classifier/good-only.py > test/classifier/good-only.reference.json`.

PaDiM's statistics by NumPy, a scene's by scikit-learn (Ledoit and Wolf on standardised features), and both distances of other pictures.
Made with NumPy 2.4, scikit-learn 1.9.
"""

import json

import numpy
from sklearn.covariance import LedoitWolf
from sklearn.preprocessing import StandardScaler

random = numpy.random.default_rng(24)
groups, width = 3, 4
mixing = random.normal(size=(groups, width, width))


def pictures(count):
    return numpy.float32(numpy.einsum("gij,ngj->ngi", mixing, random.normal(size=(count, groups, width))) + 5)


def numbers(values):
    return [float(value) for value in numpy.asarray(values).ravel()]


good, others = pictures(30), pictures(5) + numpy.float32(1.5)
covariances = numpy.stack([numpy.cov(good[:, group].astype(float), rowvar=False) for group in range(groups)])
ridge = 0.01 * numpy.mean([numpy.trace(covariance) / width for covariance in covariances])
moved = others.astype(float) - good.astype(float).mean(axis=0)
inverses = numpy.linalg.inv(covariances + ridge * numpy.eye(width))
camera = numpy.sqrt(numpy.einsum("ngi,gij,ngj->ng", moved, inverses, moved)).max(axis=1)

rows, other_rows = (each.reshape(len(each), -1).astype(float) for each in (good, others))
scaler = StandardScaler().fit(rows)
scene = numpy.sqrt(LedoitWolf().fit(scaler.transform(rows)).mahalanobis(scaler.transform(other_rows)))
print(json.dumps({"good": numbers(good), "others": numbers(others), "groups": groups, "width": width,
                  "camera": numbers(camera), "scene": numbers(scene)}))
