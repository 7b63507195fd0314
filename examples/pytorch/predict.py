"""Predicts with PyTorch what `beltnet predict` predicts.

    beltnet export runs/first --format torch-safetensors -o belt.safetensors
    python3 predict.py belt.safetensors picture.jpg ...

Needs torch, and Pillow for pictures. The network is built from the file's own metadata; docs/pytorch.md describes names
and layouts, and how to load the weights into a module of your own.
"""

import json
import math
import struct
import sys

import torch
from torch import nn
from torch.nn import functional as F


def read_safetensors(path):
    """-> (tensors by name, metadata). The library `safetensors` does the same; this spares the dependency."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(data[start:end], dtype=torch.float32).reshape(entry["shape"])
    return tensors, {key: json.loads(text) for key, text in metadata.items() if key != "format"}


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: F.softmax(x, dim=1),
    "tanh": torch.tanh,
    "elu": F.elu,
    "gelu": F.gelu,
    "swish": F.silu,
    "hard_sigmoid": F.hardsigmoid,
    "hard_swish": F.hardswish,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
}


def pad_same(x, size, strides, dilation=(1, 1), value=0.0):
    """Pads as TensorFlow's 'same': the odd row or column comes at the end, which PyTorch's own padding cannot do."""
    pads = []
    for axis in (1, 0):  # F.pad takes the last axis first
        length = x.shape[2 + axis]
        count = -(-length // strides[axis])
        total = max((count - 1) * strides[axis] + (size[axis] - 1) * dilation[axis] + 1 - length, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def pad_pool(x, config, value=0):
    if config["padding"] == "valid":
        return x
    if config["padding"] == "same":
        return pad_same(x, config["poolSize"], config["strides"], value=value)
    (top, bottom), (left, right) = config["padding"]
    return F.pad(x, (left, right, top, bottom), value=value)


class Convolution(nn.Conv2d):
    """Conv2D and DepthwiseConv2D."""

    def __init__(self, config, weight):
        outputs, group_inputs = weight.shape[:2]
        depthwise = config["kind"] == "DepthwiseConv2D"
        groups = outputs // config["depthMultiplier"] if depthwise else config.get("groups", 1)
        super().__init__(
            group_inputs * groups,
            outputs,
            config["kernelSize"],
            stride=config["strides"],
            dilation=config["dilationRate"],
            groups=groups,
            bias=config["useBias"],
        )
        self.config = config

    def forward(self, x):
        if self.config["padding"] == "same":
            x = pad_same(x, self.kernel_size, self.stride, self.dilation)
        return ACTIVATIONS[self.config["activation"]](super().forward(x))


class Dense(nn.Linear):
    def __init__(self, config, weight):
        super().__init__(weight.shape[1], weight.shape[0], bias=config["useBias"])
        self.activation = ACTIVATIONS[config["activation"]]

    def forward(self, x):
        return self.activation(super().forward(x))


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """BatchNorm1d and BatchNorm2d in one: the state_dict is the same."""

    def __init__(self, config, mean):
        super().__init__(len(mean), eps=config["epsilon"], affine=config["scale"] or config["center"])

    def _check_input_dim(self, x):
        pass


class Layer(nn.Module):
    """A layer without weights."""

    def __init__(self, config):
        super().__init__()
        self.config = config

    def forward(self, *inputs):
        config, x = self.config, inputs[0]
        kind = config["kind"]
        if kind == "MaxPooling2D":
            x = pad_pool(x, config, value=-torch.inf)
            return F.max_pool2d(x, config["poolSize"], config["strides"])
        if kind == "AveragePooling2D":
            if config["padding"] == "valid":
                return F.avg_pool2d(x, config["poolSize"], config["strides"])
            # Padding is not counted: the mean of zeros and values, divided by the part that is no padding.
            sums, parts = (
                F.avg_pool2d(pad_pool(each, config), config["poolSize"], config["strides"])
                for each in (x, torch.ones_like(x))
            )
            return sums / parts
        if kind == "GlobalAveragePooling2D":
            return x.mean(dim=(2, 3), keepdim=config.get("keepdims", False))
        if kind == "GlobalMaxPooling2D":
            return x.amax(dim=(2, 3), keepdim=config.get("keepdims", False))
        if kind == "ZeroPadding2D":
            (top, bottom), (left, right) = config["padding"]
            return F.pad(x, (left, right, top, bottom), value=config.get("value", 0))
        if kind == "Cropping2D":
            (top, bottom), (left, right) = config["cropping"]
            return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]
        if kind == "Flatten":
            return x.flatten(1)  # channels first, as the next Dense layer's weights are
        if kind == "Permute":
            return x.movedim(1, -1).permute(0, *config["dims"]).movedim(-1, 1)
        if kind == "Reshape":
            # The elements are in the order of channels last.
            return x.movedim(1, -1).reshape(-1, *config["targetShape"]).movedim(-1, 1)
        if kind == "Dropout":
            return F.dropout(x, config["rate"], self.training)
        if kind == "Activation":
            return ACTIVATIONS[config["activation"]](x)
        if kind == "ReLU":
            threshold, bound = config.get("threshold", 0), config.get("maxValue")
            above = x if bound is None else x.clamp(max=bound)
            return torch.where(x <= threshold, config.get("negativeSlope", 0) * (x - threshold), above)
        if kind == "Rescaling":
            return x * config["scale"] + config["offset"]
        if kind == "LeakyReLU":
            return F.leaky_relu(x, config["negativeSlope"])
        if kind == "ELU":
            return F.elu(x, config["alpha"])
        if kind == "Softmax":
            return F.softmax(x, dim=1)
        if kind == "Add":
            return sum(inputs[1:], x)
        if kind == "Multiply":
            return math.prod(inputs[1:], start=x)
        if kind == "Concatenate":
            axis = config["axis"] % x.dim()  # the batch counts; channels are the last there and axis 1 here
            return torch.cat(inputs, dim=1 if axis == x.dim() - 1 else axis + 1)
        sys.exit(f"{kind} is a layer that this script does not know")


class Network(nn.Module):
    """The model of a file: [N,C,H,W] -> probabilities."""

    def __init__(self, architecture, tensors):
        super().__init__()
        layers = architecture["layers"]
        for config in layers:
            name, kind = config["name"], config["kind"]
            if kind in ("Conv2D", "DepthwiseConv2D"):
                layer = Convolution(config, tensors[f"{name}.weight"])
            elif kind == "Dense":
                layer = Dense(config, tensors[f"{name}.weight"])
            elif kind == "Normalization":
                layer = BatchNorm({"epsilon": 1e-14, "scale": False, "center": False}, tensors[f"{name}.running_mean"])
            elif kind == "BatchNormalization":
                layer = BatchNorm(config, tensors[f"{name}.running_mean"])
            else:
                layer = Layer(config)
            self.add_module(name, layer)
        row = [{"layer": config["name"], "inputs": [i]} for i, config in enumerate(layers)]
        self.nodes = architecture.get("nodes", row)

    def forward(self, x):
        values = [x]
        for node in self.nodes:
            values.append(self.get_submodule(node["layer"])(*(values[i] for i in node["inputs"])))
        return values[-1]


def load(path):
    """-> (network with the file's weights, ready to predict; metadata)"""
    tensors, metadata = read_safetensors(path)
    network = Network(metadata["architecture"], tensors)
    network.load_state_dict(tensors, strict=True)
    return network.eval(), metadata


def picture(path, metadata):
    """-> [3,H,W] as the network takes it"""
    from PIL import Image, ImageOps

    preprocessing = metadata["preprocessing"]
    height, width, _ = metadata["architecture"]["inputShape"]
    image = Image.open(path)
    if preprocessing.get("exif"):
        image = ImageOps.exif_transpose(image)
    image = image.convert("RGB")
    if "region" in preprocessing:
        region = preprocessing["region"]
        left, top = region["x"], region["y"]
        image = image.crop((left, top, left + region["width"], top + region["height"]))
    image = image.resize((width, height), getattr(Image.Resampling, preprocessing["interpolation"].upper()))
    x = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(height, width, 3)
    x = x.permute(2, 0, 1) * preprocessing["rescale"]
    normalization = preprocessing.get("normalization", {})
    mean, deviation = x.mean(), x.std(unbiased=False)
    if normalization.get("samplewiseCenter"):
        x = x - mean
    if normalization.get("samplewiseStdNormalization"):
        x = x / (deviation + 1e-6)
    if "featurewiseMean" in normalization:
        x = x - torch.tensor(normalization["featurewiseMean"]).reshape(3, 1, 1)
    if "featurewiseStd" in normalization:
        x = x / (torch.tensor(normalization["featurewiseStd"]).reshape(3, 1, 1) + 1e-6)
    return x


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: predict.py MODEL.safetensors PICTURE...")
    network, metadata = load(sys.argv[1])
    for path in sys.argv[2:]:
        with torch.no_grad():
            given = network(picture(path, metadata)[None])[0].tolist()
        probabilities = [1 - given[0], given[0]] if len(given) == 1 else given
        print(json.dumps({"file": path, "probabilities": dict(zip(metadata["classes"], probabilities))}))


if __name__ == "__main__":
    main()
