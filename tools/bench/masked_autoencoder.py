"""What seeing a quarter saves: masked_autoencoder.py [--model vit_s16] [--size 224] [--batch 8] [--mask 0.75] [--rounds 5] [--width W] [--depth D].

One training step of the masked autoencoder, encoder and decoder, forward, backward and AdamW, against the same step with every patch given to
the encoder: same weights, same decoder, same batch, same loss. Both are timed in turn in one process, on the backend of the process and as Keras
trains there (`--jit` compiles with XLA); of each the median is told, of the clock and of the processor: the second counts the work of all
threads, and other programs on the machine do not slow it.

Activation memory is that of the tensors which a forward pass leaves for the backward pass: what `jax.vjp` keeps of this loss (JAX counts it
from the program, on any machine), as far as it grows with the batch, so that weights do not count. With `--compiled` follows what XLA lays
out for the temporaries of the whole step, again as far as it grows with the batch: buffers that live at once, after fusion, on this machine
(minutes of compiling). Both need JAX (pip install jax) and run in a process of their own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time


def arguments():
    """The command line."""
    from medtf.schema_pretrain import Pretrain

    defaults = Pretrain(task="masked_autoencoder")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vit_s16")
    parser.add_argument("--size", type=int, default=224, help="side of the images, in pixels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--mask", type=float, default=defaults.mask, help="share of the patches that is hidden")
    parser.add_argument("--width", type=int, default=defaults.decoder_width, help="of the decoder")
    parser.add_argument("--depth", type=int, default=defaults.decoder_depth, help="blocks of the decoder")
    parser.add_argument("--rounds", type=int, default=5, help="steps of each that are timed")
    parser.add_argument("--jit", action="store_true", help="compile the step with XLA")
    parser.add_argument("--only", choices=("times", "memory"), help="one of the two parts")
    parser.add_argument("--compiled", action="store_true", help="count XLA's temporaries too")
    parser.add_argument("--as-counter", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def task(asked, *, every: bool):
    """The masked autoencoder, or the one whose encoder gets every patch."""
    import keras
    from keras import ops

    from medtf.config import Model
    from medtf.models.build import encoder
    from medtf.pretrain.masked_autoencoder import Pretraining
    from medtf.schema_pretrain import Pretrain

    class EveryPatch(Pretraining):
        """The same masks, and a loss over the same patches; but nothing is left out before the encoder."""

        def draw(self, images, *, training):
            _, hidden, rank = super().draw(images, training=training)
            places = ops.broadcast_to(ops.arange(rank.shape[1], dtype="int32"), ops.shape(rank))
            return places, hidden, places

    keras.utils.set_random_seed(0)
    network = encoder(Model(name=asked.model, weights="none"), (asked.size, asked.size, 1))
    pretrain = Pretrain(
        task="masked_autoencoder", mask=asked.mask, decoder_width=asked.width, decoder_depth=asked.depth
    )
    made = (EveryPatch if every else Pretraining)(network, pretrain)
    made.compile(keras.optimizers.AdamW(1.5e-4, weight_decay=0.05), jit_compile=asked.jit)
    return made


def images(asked, batch: int):
    """A batch of noise: what is in the pixels costs nothing."""
    import numpy as np

    return np.random.default_rng(0).random((batch, asked.size, asked.size, 1), dtype=np.float32)


def times(asked) -> dict[str, tuple[float, float]]:
    """Median seconds of a step, (clock, processor), the two taking turns."""
    batch = images(asked, asked.batch)
    tasks = {"every patch": task(asked, every=True), "masked": task(asked, every=False)}
    taken = {name: [] for name in tasks}
    for number in range(asked.rounds + 2):  # the first two of each trace, compile and warm
        for name, one in tasks.items():
            start = time.perf_counter(), time.process_time()
            one.train_on_batch(batch, batch)
            if number >= 2:
                taken[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return {name: tuple(map(statistics.median, zip(*seconds, strict=True))) for name, seconds in taken.items()}


def memory(asked) -> dict[str, dict[str, float]]:
    """Bytes an example, by task: what the forward pass keeps, and the compiler's temporaries."""
    import jax

    found = {}
    for name, every in (("every patch", True), ("masked", False)):
        one = task(asked, every=every)
        one._symbolic_build(data_batch=(images(asked, 2), images(asked, 2)))
        weights = [v.value for v in one.trainable_variables]
        rest = [v.value for v in one.non_trainable_variables]

        def loss(weights, rest, batch, one=one):
            outcome, rest = one.stateless_call(weights, rest, batch, training=True)
            return one.compute_loss(y_pred=outcome), rest

        def kept(weights, rest, batch, loss=loss):
            return jax.vjp(loss, weights, rest, batch)[1]

        def step(weights, rest, batch, loss=loss):
            return jax.grad(loss, has_aux=True)(weights, rest, batch)

        sizes = {"kept": [], "temporary": []} if asked.compiled else {"kept": []}
        for count in (2, 4):
            batch = images(asked, count)
            leaves = jax.tree_util.tree_leaves(jax.eval_shape(kept, weights, rest, batch))
            sizes["kept"].append(sum(leaf.size * leaf.dtype.itemsize for leaf in leaves))
            if asked.compiled:
                compiled = jax.jit(step).lower(weights, rest, batch).compile()
                sizes["temporary"].append(compiled.memory_analysis().temp_size_in_bytes)
        found[name] = {kind: (four - two) / 2 for kind, (two, four) in sizes.items()}
    return found


def memory_apart() -> dict[str, dict[str, float]]:
    """`memory` in a process with JAX."""
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    command = [sys.executable, __file__, *sys.argv[1:], "--as-counter"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the memory cannot be counted; is jax installed?\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print one number a line."""
    asked = arguments()
    if asked.as_counter:
        print(json.dumps(memory(asked)))
        return
    import keras

    print(f"backend: {keras.backend.backend()}{', compiled with XLA' if asked.jit else ''}")
    print(
        f"model: {asked.model} at {asked.size}, {asked.mask:.0%} hidden, decoder {asked.depth} x {asked.width}, batch {asked.batch}"
    )
    if asked.only != "memory":
        tell_times(times(asked))
    if asked.only != "times":
        tell_memory(memory_apart())


def tell_times(seconds) -> None:
    """Milliseconds, and how many times as fast."""
    for number, clock in enumerate(("clock", "processor")):
        for name, value in seconds.items():
            print(f"step by the {clock}, {name}: {1000 * value[number]:.0f} ms")
        ratio = seconds["every patch"][number] / seconds["masked"][number]
        print(f"step by the {clock}, times as fast: {ratio:.2f} x", flush=True)


def tell_memory(sizes) -> None:
    """Mebibytes an image, and the share."""
    words = {"kept": "activations kept for the backward pass", "temporary": "XLA's temporary buffers"}
    for kind in sizes["masked"]:
        for name in sizes:
            print(f"{words[kind]}, {name}: {sizes[name][kind] / 2**20:.1f} MiB an image")
        print(f"{words[kind]}, share: {100 * sizes['masked'][kind] / sizes['every patch'][kind]:.1f} %")


if __name__ == "__main__":
    main()
