"""Pictures for TensorBoard: a file of one event, written without TensorBoard, which TensorFlow no longer brings."""

import time
from pathlib import Path

import tensorflow as tf


def write_picture(folder, name: str, png: bytes, size: tuple[int, int], *, step: int) -> Path:
    """One picture at one step, as TensorBoard reads it; whole or not at all.

    A file holds one picture, so that nothing stays open through a training and a step that is written again takes the place of the old one. Its
    name rises with the step, the order in which TensorBoard reads, and does not tell the machine, as TensorFlow's own do.

    Args:
        folder: of the events; made where it is not there.
        name: of the series of pictures. png: encoded, three channels. size: height, width.
        step: epoch.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    image = tf.compat.v1.Summary.Image(height=size[0], width=size[1], colorspace=3, encoded_image_string=png)
    summary = tf.compat.v1.Summary(value=[tf.compat.v1.Summary.Value(tag=name, image=image)])
    now = time.time()
    events = [tf.compat.v1.Event(wall_time=now, file_version="brain.Event:2")]
    events += [tf.compat.v1.Event(wall_time=now, step=step, summary=summary)]
    path = folder / f"events.out.tfevents.{step:010d}.medtf"
    temporary = folder / f".{step:010d}.part"
    try:
        with tf.io.TFRecordWriter(str(temporary)) as records:
            for event in events:
                records.write(event.SerializeToString())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
