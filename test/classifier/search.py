"""The first points of Sobol's sequence by SciPy: python test/classifier/search.py > test/classifier/search.reference.json"""
import json
from scipy.stats import qmc

points = qmc.Sobol(16, scramble=False, bits=32).random(64)
print(json.dumps([[int(x * 2**32) for x in point] for point in points]))
