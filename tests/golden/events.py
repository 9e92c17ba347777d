"""Writes events.tfevents with TensorBoard's own messages and record writer. Our event files must have the same bytes."""

from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

image = Summary.Image(height=1, width=2, colorspace=3, encoded_image_string=b"not looked at")
events = [
    Event(wall_time=1_500_000_000.25, file_version="brain.Event:2"),
    Event(
        wall_time=1_500_000_001.5,
        step=300,
        summary=Summary(
            value=[Summary.Value(tag="loss/fln", simple_value=27.5), Summary.Value(tag="zero", simple_value=0.0)]
        ),
    ),
    Event(
        wall_time=1_500_000_002.0,
        step=25_600,
        summary=Summary(value=[Summary.Value(tag="affinity/test", image=image)]),
    ),
]
with open(Path(__file__).with_name("events.tfevents"), "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString(deterministic=True))
    writer.flush()
