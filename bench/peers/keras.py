"""Keras 3 on TensorFlow: the model that beltnet's users come from, trained by `train_on_batch` or by a step of their own."""

import itertools
import sys

# This file's folder comes first among those that modules are looked for in, and `import keras` would find this file.
sys.path.append(sys.path.pop(0))

from networks import keras_model, keras_weights  # noqa: E402
from serve import batches_of, read_problem, serve, timed  # noqa: E402

state = {}


def open_device(device, threads):
    import os

    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    import keras

    state.update(tf=tf, keras=keras, threads=threads)
    version = f"{keras.__version__} on TensorFlow {tf.__version__}"
    return {"version": version, "device": f"cpu, {threads} threads", "steps": list(steps), "adam": ["keras"]}


def build(architecture, adam):
    keras = state["keras"]
    model = keras_model(keras, architecture)
    state["criterion"] = (
        keras.losses.BinaryCrossentropy()
        if model.output_shape[-1] == 1
        else keras.losses.SparseCategoricalCrossentropy()
    )
    optimizer = keras.optimizers.Adam(adam["learningRate"], adam["beta1"], adam["beta2"], adam["epsilon"])
    model.compile(optimizer=optimizer, loss=state["criterion"])
    optimizer.build(model.trainable_variables)
    return model


def prepare(directory, batch, adam):
    tf, keras = state["tf"], state["keras"]
    problem = read_problem(directory)
    keras.backend.clear_session()
    model = build(problem.architecture, adam)
    arrays = batches_of(problem, batch)
    state.update(problem=problem, model=model, arrays=arrays)
    state["tensors"] = [(tf.constant(x), tf.constant(y[:, None])) for x, y in arrays]
    state["predict"] = tf.function(lambda x: model(x, training=False), reduce_retracing=True)

    def train(x, y):
        with tf.GradientTape() as tape:
            loss = state["criterion"](y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss

    state["train"] = tf.function(train)
    restart()


def restart():
    state["model"].set_weights(list(keras_weights(state["model"], state["problem"].weights)))
    for variable in state["model"].optimizer.variables:
        if variable.path.split("/")[-1] != "learning_rate":
            variable.assign(state["tf"].zeros_like(variable.value))
    state["arrays_next"] = itertools.cycle(state["arrays"])
    state["tensors_next"] = itertools.cycle(state["tensors"])


# Which one is quicker depends on the batch size; the runner measures both.
steps = {
    "train_on_batch": lambda: state["model"].train_on_batch(*next(state["arrays_next"])),
    "tf.function": lambda: state["train"](*next(state["tensors_next"])),
}


def step(way, warm, count):
    state["model"].reset_metrics()  # train_on_batch returns the mean loss since then
    milliseconds, loss = timed(warm, count, steps[way], float)
    return {"milliseconds": milliseconds, "loss": loss}


def infer(warm, count):
    milliseconds, scores = timed(
        warm, count, lambda: state["predict"](next(state["tensors_next"])[0]).numpy().flatten()
    )
    return {"milliseconds": milliseconds, "scores": scores[:8].tolist()}


def train_folder(directory, architecture, size, batch, epochs, shear, zoom, flip, adam):
    """Keras' own generator, which decodes the pictures again in every epoch, and its own fit. shear in degrees."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(rescale=1 / 255, shear_range=shear, zoom_range=zoom, horizontal_flip=flip)
    flow = generator.flow_from_directory(directory, target_size=(size, size), batch_size=batch, class_mode="binary")
    flow.workers = state["threads"]
    model = build(architecture, adam)
    history = model.fit(flow, epochs=epochs, verbose=0)
    return {"losses": history.history["loss"]}


if __name__ == "__main__":
    serve(
        {
            **{"open": open_device, "prepare": prepare, "restart": restart},
            **{"step": step, "infer": infer, "trainFolder": train_folder},
        }
    )
