"""PyTorch 2, eager: MKL and oneDNN kernels, its fused Adam, binary cross-entropy on logits."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from networks import initial_weights, torch_module
from serve import batches_of, read_problem, serve, timed, Unsupported

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


def build(architecture, weights):
    model = torch_module(state["torch"], architecture, weights)
    return model.to(state["device"], memory_format=state["format"])


def prepare(directory, batch, adam):
    torch = state["torch"]
    problem = read_problem(directory)
    model = build(problem.architecture, problem.weights)
    betas = (adam["beta1"], adam["beta2"])
    optimizer = torch.optim.Adam(
        model.parameters(), lr=adam["learningRate"], betas=betas, eps=adam["epsilon"], fused=True
    )
    single = problem.network.classes == 2
    state.update(model=model, optimizer=optimizer, initial={k: v.clone() for k, v in model.state_dict().items()})
    state["loss"] = torch.nn.BCEWithLogitsLoss() if single else torch.nn.CrossEntropyLoss()
    state["probabilities"] = torch.sigmoid if single else (lambda scores: scores.softmax(1))
    state["batches"] = [
        (to_device(x), torch.from_numpy(y if single else y.astype("int64")).to(state["device"]))
        for x, y in batches_of(problem, batch)
    ]
    restart()


def to_device(x):
    """x [n,H,W,C] as the network wants it, [n,C,H,W] in the layout under test."""
    x = x[:, ::-1, ::-1].copy() if state["model"].mirrored else x
    x = state["torch"].from_numpy(x).permute(0, 3, 1, 2)
    return x.to(state["device"]).contiguous(memory_format=state["format"])


def restart():
    state["model"].load_state_dict(state["initial"])
    state["model"].train()
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
        return state["probabilities"](state["model"](next(state["next"])[0]))


def infer(warm, count):
    state["model"].eval()
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


def train_folder(directory, architecture, size, batch, epochs, shear, zoom, flip, adam):
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

    model = build(architecture, initial_weights(architecture))
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
