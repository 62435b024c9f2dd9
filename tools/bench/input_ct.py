"""How fast raw DICOM slices become batches of 299 x 299 x 3 windows: input_ct.py FOLDER [--peer-python PATH --peer-script PATH].

FOLDER holds uncompressed 512 x 512 CT slices (`medtf phantom ct` makes such). Prints slices per second, the best of three passes after one
that warms the page cache; what reading and decoding alone reach, which is the limit; and the resident memory above that of TensorFlow's import.
With a peer (an environment with torch and MONAI, and a program that prints `name: 123.4 slices/s`) its lines and the ratios follow, from the
same run: ours is measured before and after it, and the better of the two counts, since the peer's best counts too.
"""

import argparse
import os
import re
import subprocess
import sys
import time

from medtf.quiet import quiet

with quiet():
    import tensorflow as tf


def resident_megabytes() -> float:
    """Resident memory of this process, MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


BARE = resident_megabytes()  # what importing TensorFlow takes

from medtf import config, prepare  # noqa: E402
from medtf.data import dataset, graph  # noqa: E402

BATCH = 32


def experiment():
    """The default three windows at 299 pixels, in batches of 32."""
    return config.load("rsna_ich", ("input.window_jitter=[0, 0]", f"train.batch_size={BATCH}"))


def batches(table, root):
    """What `medtf evaluate` reads."""
    return dataset.make(table, root, experiment(), training=False)


def read_and_decode(table, root):
    """Only bytes to stored values, on the same threads: no pipeline of this kind can be faster."""
    columns = dataset._columns(table.frame, {})
    (layout,), _ = graph.layouts(table.frame)

    def one(row):
        cells = {name: tf.gather(values, row) for name, values in columns.items()}
        return graph._decoded_raw(cells, layout, str(root))

    rows = tf.data.Dataset.range(len(table)).map(one, num_parallel_calls=dataset.READERS).batch(BATCH).prefetch(2)
    options = tf.data.Options()
    options.threading.private_threadpool_size = dataset.READERS
    return rows.with_options(options)


def slices_per_second(stream, count: int) -> float:
    """Best of three passes after one that warms."""
    best = 0.0
    for number in range(4):
        start = time.perf_counter()
        for _ in stream:
            pass
        if number:
            best = max(best, count / (time.perf_counter() - start))
    return best


def peer(python: str, script: str, folder: str) -> dict[str, float]:
    """The peer's lines, `name: 123.4 slices/s`."""
    done = subprocess.run([python, script, folder], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{script}: {done.stderr.strip().splitlines()[-1]}")
    return {m[1]: float(m[2]) for m in re.finditer(r"^(.+): ([\d.]+) slices/s$", done.stdout, re.MULTILINE)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--peer-python", help="interpreter of the peer's environment")
    parser.add_argument("--peer-script", default="../shared/bench/peer_ct.py")
    given = parser.parse_args()
    table = prepare.index(experiment(), given.folder)
    limit = slices_per_second(read_and_decode(table, given.folder), len(table))
    before = resident_megabytes()
    ours = slices_per_second(batches(table, given.folder), len(table))
    memory = resident_megabytes()
    others = peer(given.peer_python, given.peer_script, given.folder) if given.peer_python else {}
    if others:
        ours = max(ours, slices_per_second(batches(table, given.folder), len(table)))
    print(f"medtf: {ours:.1f} slices/s")
    print(f"read and decode alone: {limit:.1f} slices/s ({ours / limit:.0%} of it reached)")
    print(
        f"resident memory above TensorFlow's import: {memory - BARE:.0f} MB ({before - BARE:.0f} MB before the first batch)"
    )
    for name, value in others.items():
        print(f"{name}: {value:.1f} slices/s   medtf is {ours / value:.2f} times as fast")


if __name__ == "__main__":
    main()
