"""A peer's end of the protocol: a JSON request a line on stdin, a JSON reply a line on stdout (README.md lists the
requests). What a library prints goes to stderr."""

import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class Unsupported(Exception):
    """What a library or machine cannot do: a row says so, and it is no error."""


def serve(methods):
    """methods: what each request does; a function of the request's parameters that returns the result."""
    methods = {"memory": memory, **methods}
    for line in sys.stdin:
        request = json.loads(line)
        method = request.pop("method")
        try:
            reply = {"result": methods[method](**request)}
        except Unsupported as error:
            reply = {"error": str(error), "unsupported": True}
        except Exception as error:  # the runner shows it in the peer's row
            reply = {"error": f"{type(error).__name__}: {error}", "missing": isinstance(error, ModuleNotFoundError)}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
    os._exit(0)  # thread pools need not be taken down in order


def memory():
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return {"peakBytes": None}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peakBytes": peak if sys.platform == "darwin" else peak * 1024}


def timed(warm, count, work, finish=lambda last: last):
    """Runs work warm times, then count times with the clock on; finish waits for all that was started."""
    for _ in range(warm):
        finish(work())
    start = time.perf_counter()
    for _ in range(count):
        last = work()
    result = finish(last)
    return (time.perf_counter() - start) * 1000 / count, result


def read_problem(directory):
    """The problem as the runner wrote it: network, initial weights by name, and pictures to take batches of."""
    import numpy as np

    directory = Path(directory)
    described = json.loads((directory / "problem.json").read_text())
    values = np.fromfile(directory / "weights.f32", np.float32)
    network = SimpleNamespace(**described["network"])
    weights = {
        place["name"]: values[place["offset"] : place["offset"] + place["length"]].reshape(place["shape"])
        for place in described["weights"]
    }
    shape = (-1, network.height, network.width, network.channels)
    pictures = np.fromfile(directory / "pictures.u8", np.uint8).reshape(shape)
    labels = np.fromfile(directory / "labels.f32", np.float32)
    return SimpleNamespace(
        network=network, architecture=described["architecture"], weights=weights, pictures=pictures, labels=labels
    )


def batches_of(problem, batch):
    """All whole batches of the pictures: x [batch,H,W,3] in [0, 1], y [batch]. They are used in turn."""
    import numpy as np

    return [
        (problem.pictures[i : i + batch].astype(np.float32) * np.float32(1 / 255), problem.labels[i : i + batch])
        for i in range(0, len(problem.labels) - batch + 1, batch)
    ]
