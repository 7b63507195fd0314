"""PyTorch 2, eager: MKL and oneDNN kernels, its fused Adam, binary cross-entropy on logits."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

from serve import batches_of, feature_rows_to_channels_first, read_problem, serve, timed, Unsupported

state = {}


def open_device(device, threads, layout="default"):
    import torch

    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise Unsupported("no CUDA device")
    memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    state.update(torch=torch, device=torch.device(device), format=memory_format)
    name = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return {"version": torch.__version__.split("+")[0], "device": name, "steps": ["eager"], "adam": ["pytorch"]}


def build(network):
    nn = state["torch"].nn
    height, width = (((n - 2) // 2 - 2) // 2 for n in (network.height, network.width))
    model = nn.Sequential(
        nn.Conv2d(network.channels, network.filters, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(network.filters, network.filters, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(network.filters * height * width, network.units),
        nn.ReLU(),
        nn.Linear(network.units, 1),
    )
    return model.to(state["device"], memory_format=state["format"])


def prepare(directory, batch, adam):
    torch = state["torch"]
    problem = read_problem(directory)
    model = build(problem.network)
    betas = (adam["beta1"], adam["beta2"])
    optimizer = torch.optim.Adam(
        model.parameters(), lr=adam["learningRate"], betas=betas, eps=adam["epsilon"], fused=True
    )
    batches = [(to_device(x), torch.from_numpy(y).to(state["device"])) for x, y in batches_of(problem, batch)]
    state.update(problem=problem, model=model, optimizer=optimizer, batches=batches)
    state["loss"] = torch.nn.BCEWithLogitsLoss()
    restart()


def to_device(x):
    """x [n,H,W,C] as the network wants it, [n,C,H,W] in the layout under test."""
    x = state["torch"].from_numpy(x).permute(0, 3, 1, 2)
    return x.to(state["device"]).contiguous(memory_format=state["format"])


def initial_parameters():
    """In the order of model.parameters(): convolutions [K,C,KH,KW], dense [out,in]."""
    for name, value in state["problem"].weights.items():
        if name == "dense.kernel":
            value = feature_rows_to_channels_first(value, state["problem"].network)
        axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[value.ndim]
        yield state["torch"].from_numpy(value.transpose(axes).copy())


def restart():
    with state["torch"].no_grad():
        for parameter, value in zip(state["model"].parameters(), initial_parameters(), strict=True):
            parameter.copy_(value)
    for moments in state["optimizer"].state.values():
        for value in moments.values():
            value.zero_()
    state["next"] = itertools.cycle(state["batches"])


def train_step():
    x, y = next(state["next"])
    state["optimizer"].zero_grad(set_to_none=True)
    loss = state["loss"](state["model"](x).squeeze(1), y)
    loss.backward()
    state["optimizer"].step()
    return loss


def step(way, warm, count):
    milliseconds, loss = timed(warm, count, train_step, lambda loss: loss.item())
    return {"milliseconds": milliseconds, "loss": loss}


def predict():
    with state["torch"].inference_mode():
        return state["model"](next(state["next"])[0]).sigmoid()


def infer(warm, count):
    milliseconds, scores = timed(warm, count, lambda: predict().cpu().flatten())
    return {"milliseconds": milliseconds, "scores": scores[:8].tolist()}


def decode(path, size):
    from PIL import Image

    with Image.open(path) as picture:
        return state["numpy"].asarray(picture.convert("RGB").resize((size, size), Image.Resampling.NEAREST))


def augment(x, shear, zoom, flip):
    """A whole batch at once: shear by up to shear radians, each axis zoomed by 1 ± zoom, mirrored if flip."""
    torch = state["torch"]
    n = len(x)
    angle = (torch.rand(n, device=x.device) * 2 - 1) * shear
    zooms = 1 + (torch.rand(2, n, device=x.device) * 2 - 1) * zoom
    mirror = torch.where(torch.rand(n, device=x.device) < 0.5, -1.0, 1.0) if flip else torch.ones(n, device=x.device)
    matrix = torch.zeros(n, 2, 3, device=x.device)
    matrix[:, 0, 0] = zooms[0] * mirror
    matrix[:, 0, 1] = -torch.sin(angle) * zooms[1]
    matrix[:, 1, 1] = torch.cos(angle) * zooms[1]
    grid = torch.nn.functional.affine_grid(matrix, x.shape, align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def train_folder(directory, size, batch, epochs, shear, zoom, flip, adam):
    """Decodes all pictures once, with a thread for each core, and trains on the arrays. shear in degrees."""
    import numpy as np

    torch = state["torch"]
    state["numpy"] = np
    start = time.perf_counter()
    folders = sorted(path for path in Path(directory).iterdir() if path.is_dir())
    files = [(path, label) for label, folder in enumerate(folders) for path in sorted(folder.iterdir())]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        pictures = np.stack(list(pool.map(lambda file: decode(file[0], size), files)))
    labels = torch.tensor([float(label) for _, label in files], device=state["device"])
    pictures = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(memory_format=state["format"])
    pictures = pictures.to(state["device"])
    loaded = time.perf_counter()

    model = build(SimpleNamespace(height=size, width=size, channels=3, filters=32, units=128))
    optimizer = torch.optim.Adam(model.parameters(), lr=adam["learningRate"], eps=adam["epsilon"], fused=True)
    criterion = torch.nn.BCEWithLogitsLoss()
    losses = []
    for _ in range(epochs):
        total = 0
        for indices in torch.randperm(len(labels), device=state["device"]).split(batch):
            x = augment(pictures[indices].float() / 255, np.deg2rad(shear), zoom, flip)
            x = x.contiguous(memory_format=state["format"])
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(x).squeeze(1), labels[indices])
            loss.backward()
            optimizer.step()
            total = total + loss.detach() * len(indices)
        losses.append(total.item() / len(labels))
    return {"losses": losses, "loading": loaded - start, "training": time.perf_counter() - loaded}


if __name__ == "__main__":
    serve(
        {
            **{"open": open_device, "prepare": prepare, "restart": restart},
            **{"step": step, "infer": infer, "trainFolder": train_folder},
        }
    )
