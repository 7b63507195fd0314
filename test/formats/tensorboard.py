"""Makes tensorboard.reference.bin: an event file of three records, written by TensorFlow. Run with a Python that has tensorflow."""
import tensorflow as tf
from tensorflow.compat.v1 import Event, Summary

with tf.io.TFRecordWriter('test/formats/tensorboard.reference.bin') as file:
    file.write(Event(wall_time=1700000000.25, file_version='brain.Event:2').SerializeToString())
    for step, values in [(1, {'loss/training': 0.75}), (300, {'loss/training': 0.125, 'validation/missed alerts': 3.0})]:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
        file.write(Event(wall_time=1700000000.25 + step, step=step, summary=summary).SerializeToString())
