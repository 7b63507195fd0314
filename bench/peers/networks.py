"""Networks from beltnet's description of an architecture (the JSON in its model files), in PyTorch and in Keras."""

from types import SimpleNamespace


def graph(architecture):
    """[(layer's options, the values that it takes)]: value 0 is the input, i + 1 what node i gives."""
    layers = {layer["name"]: SimpleNamespace(**layer) for layer in architecture["layers"]}
    nodes = architecture.get("nodes") or [
        {"layer": name, "inputs": [index]} for index, name in enumerate(layers)
    ]
    return [(layers[node["layer"]], node["inputs"]) for node in nodes]


def windows(length, size, stride, padding):
    """Keras' geometry along an axis: number of windows, and padding before the first."""
    if padding == "valid":
        return (length - size) // stride + 1, 0
    count = -(-length // stride)
    return count, max((count - 1) * stride + size - length, 0) // 2


def initial_weights(architecture):
    """Glorot-uniform kernels and zero biases, for a row of convolutions, pools and dense layers."""
    import numpy as np

    random = np.random.default_rng(0)
    height, width, channels = architecture["inputShape"]
    weights = {}
    for layer, _ in graph(architecture):
        if layer.kind == "MaxPooling2D":
            height, width = height // layer.strides[0], width // layer.strides[1]
        if layer.kind == "Conv2D":
            shape = (*layer.kernelSize, channels, layer.filters)
            height, width = (windows(n, k, 1, layer.padding)[0] for n, k in zip((height, width), layer.kernelSize))
        if layer.kind == "Dense":
            shape = (channels * height * width, layer.units)
            height = width = 1
        if layer.kind in ("Conv2D", "Dense"):
            area = int(np.prod(shape[:-2]))
            limit = (6 / (area * (shape[-2] + shape[-1]))) ** 0.5
            weights[f"{layer.name}.kernel"] = random.uniform(-limit, limit, shape).astype(np.float32)
            weights[f"{layer.name}.bias"] = np.zeros(shape[-1], np.float32)
            channels = shape[-1]
    return weights


def keras_model(keras, architecture):
    layers = keras.layers
    values = [keras.Input(architecture["inputShape"])]
    for layer, inputs in graph(architecture):
        values.append(keras_layer(layers, layer)(values[inputs[0]] if len(inputs) == 1 else [values[i] for i in inputs]))
    return keras.Model(values[0], values[-1])


def keras_layer(layers, layer):
    def convolution():
        return dict(
            strides=layer.strides, padding=layer.padding, activation=layer.activation, use_bias=layer.useBias
        )

    def pooling():
        return dict(pool_size=layer.poolSize, strides=layer.strides, padding=layer.padding)

    makers = {
        "Conv2D": lambda: layers.Conv2D(layer.filters, layer.kernelSize, **convolution()),
        "DepthwiseConv2D": lambda: layers.DepthwiseConv2D(layer.kernelSize, **convolution()),
        "BatchNormalization": lambda: layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.epsilon),
        "ReLU": layers.ReLU,
        "LeakyReLU": lambda: layers.LeakyReLU(negative_slope=layer.negativeSlope),
        "MaxPooling2D": lambda: layers.MaxPooling2D(**pooling()),
        "AveragePooling2D": lambda: layers.AveragePooling2D(**pooling()),
        "GlobalAveragePooling2D": layers.GlobalAveragePooling2D,
        "Add": layers.Add,
        "Concatenate": layers.Concatenate,
        "Dropout": lambda: layers.Dropout(layer.rate),
        "Flatten": layers.Flatten,
        "Dense": lambda: layers.Dense(layer.units, activation=layer.activation, use_bias=layer.useBias),
    }
    made = makers[layer.kind]()
    made.name = layer.name
    return made


def keras_weights(model, weights):
    """In the order of Keras' `set_weights`."""
    names = {"moving_mean": "moving_mean", "moving_variance": "moving_variance", "kernel": "kernel", "bias": "bias"}
    for layer in model.layers:
        for variable in layer.weights:
            name = variable.path.split("/")[-1]
            own = f"{layer.name}.{names.get(name, name)}"
            yield weights[own if own in weights else f"{layer.name}.depthwise_kernel"]


ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "elu": "elu", "swish": "silu", "gelu": "gelu"}


def torch_module(torch, architecture, weights):
    """
    A module from [n,C,H,W] to the scores before the last activation, with the given weights.

    Keras pads the odd element of 'same' at the end, PyTorch at the start. Where strides bring that up, the module works on
    mirrored pictures with mirrored kernels, so that PyTorch's own padding serves: `module.mirrored` says so.
    """
    nn, functional = torch.nn, torch.nn.functional
    nodes = graph(architecture)
    mirrored = any(
        max(layer.strides) > 1 and layer.padding == "same" for layer, _ in nodes if hasattr(layer, "kernelSize")
    )

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.mirrored = mirrored
            self.steps = []
            height, width, channels = architecture["inputShape"]
            shapes = [(channels, height, width)]
            for index, (layer, inputs) in enumerate(nodes):
                last = index == len(nodes) - 1
                step, shape = self.make(layer, [shapes[i] for i in inputs], last)
                shapes.append(shape)
                self.steps.append((step, inputs))

        def keep(self, name, module):
            self.add_module(f"layer_{name}", module)  # a layer may be named as a method is
            return module

        def make(self, layer, given, last):
            """What a layer does, as a function of its inputs; and the shape that it gives."""
            shape = given[0]
            if layer.kind in ("Conv2D", "DepthwiseConv2D"):
                return self.convolution(layer, shape)
            if layer.kind in ("MaxPooling2D", "AveragePooling2D"):
                return self.pooling(layer, shape)
            if layer.kind == "BatchNormalization":
                module = nn.BatchNorm2d(shape[0], eps=layer.epsilon, momentum=1 - layer.momentum)
                for name, own in (
                    ("weight", "gamma"),
                    ("bias", "beta"),
                    ("running_mean", "moving_mean"),
                    ("running_var", "moving_variance"),
                ):
                    self.fill(getattr(module, name), weights[f"{layer.name}.{own}"])
                return self.keep(layer.name, module), shape
            if layer.kind == "Dense":
                return self.dense(layer, shape, last)
            plain = {
                "ReLU": functional.relu,
                "Add": lambda *xs: sum(xs[1:], xs[0]),
                "Concatenate": lambda *xs: torch.cat(xs, 1),
                "LeakyReLU": lambda x: functional.leaky_relu(x, layer.negativeSlope),
                "GlobalAveragePooling2D": lambda x: x.mean((2, 3)),
                "Flatten": lambda x: x.flatten(1),
            }
            if layer.kind == "Dropout":
                return self.keep(layer.name, nn.Dropout(layer.rate)), shape
            outputs = {
                "Concatenate": (sum(one[0] for one in given), *shape[1:]),
                "GlobalAveragePooling2D": (shape[0],),
                "Flatten": shape,  # the map, for the dense layer behind it
            }
            return plain[layer.kind], outputs.get(layer.kind, shape)

        def fill(self, parameter, value):
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(value.copy()))

        def place(self, layer, size, shape):
            """PyTorch's own padding and nothing to do before, or no padding and what to pad or crop; and the output's map."""
            pads, output = [], []
            for length, extent, stride in zip(shape[1:], size, layer.strides):
                count, before = windows(length, extent, stride, layer.padding)
                span = (count - 1) * stride + extent
                pads.append((span - length - before, before) if mirrored else (before, span - length - before))
                output.append(count)
            own = all(
                before >= 0 and (length + 2 * before - extent) // stride + 1 == count
                for (before, _), length, extent, stride, count in zip(pads, shape[1:], size, layer.strides, output)
            )
            if own:
                return tuple(before for before, _ in pads), lambda x: x, output
            around = (*pads[1], *pads[0])
            return (0, 0), lambda x: functional.pad(x, around), output

        def pooling(self, layer, shape):
            pads, place, output = self.place(layer, layer.poolSize, shape)
            size, stride = tuple(layer.poolSize), tuple(layer.strides)
            if layer.kind == "MaxPooling2D":
                return lambda x: functional.max_pool2d(place(x), size, stride, pads), (shape[0], *output)
            average = functional.avg_pool2d
            return lambda x: average(place(x), size, stride, pads, count_include_pad=False), (shape[0], *output)

        def convolution(self, layer, shape):
            depthwise = layer.kind == "DepthwiseConv2D"
            filters = shape[0] * layer.depthMultiplier if depthwise else layer.filters
            pads, place, output = self.place(layer, layer.kernelSize, shape)
            module = nn.Conv2d(
                shape[0],
                filters,
                tuple(layer.kernelSize),
                tuple(layer.strides),
                pads,
                groups=shape[0] if depthwise else getattr(layer, "groups", 1),
                bias=layer.useBias,
            )
            kernel = weights[f"{layer.name}.{'depthwise_kernel' if depthwise else 'kernel'}"]
            kernel = kernel.reshape(*kernel.shape[:2], 1, -1) if depthwise else kernel
            kernel = kernel[::-1, ::-1] if mirrored else kernel
            self.fill(module.weight, kernel.transpose(3, 2, 0, 1))
            if layer.useBias:
                self.fill(module.bias, weights[f"{layer.name}.bias"])
            self.keep(layer.name, module)
            activate = self.activation(layer)
            return lambda x: activate(module(place(x))), (filters, *output)

        def dense(self, layer, shape, last):
            kernel = weights[f"{layer.name}.kernel"]
            if len(shape) == 3:  # rows from (row, column, channel) to (channel, row, column) order
                maps = kernel.reshape(*shape[1:], shape[0], -1)
                kernel = maps.transpose(2, 0, 1, 3).reshape(kernel.shape)
            module = nn.Linear(*kernel.shape, bias=layer.useBias)
            self.fill(module.weight, kernel.T)
            if layer.useBias:
                self.fill(module.bias, weights[f"{layer.name}.bias"])
            self.keep(layer.name, module)
            activate = (lambda x: x) if last else self.activation(layer)
            return lambda x: activate(module(x)), (layer.units,)

        def activation(self, layer):
            if layer.activation == "linear":
                return lambda x: x
            return getattr(functional, ACTIVATIONS[layer.activation])

        def forward(self, x):
            values = [x]
            for step, inputs in self.steps:
                values.append(step(*(values[i] for i in inputs)))
            return values[-1]

    return Network()
