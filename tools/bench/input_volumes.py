"""How fast .nii.gz volumes become batches of 64^3 patches: input_volumes.py FOLDER [--peer-python PATH --peer-script PATH].

FOLDER holds volumes of at least 64 voxels a side. 64 patches a volume, at places drawn uniformly, four volumes mixed, batches of 16, no
normalisation, as the peer has none; then once more with z-scores, whose statistics cost a pass over each volume. Prints patches per second:
from files (nothing decoded before; best of three passes, and
the very first one, which builds the graph), and later ones from volumes kept in memory and from a packed file; and the resident memory
above that of TensorFlow's import, with what kept volumes are told to take. With a peer (an environment with torch and TorchIO, and a program
that prints `name: 123.4 patches/s`) its lines and the ratios follow, from the same run: ours is measured before and after it, and the better
of the two counts, since the peer's best counts too.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from medtf.quiet import quiet

with quiet():
    import tensorflow as tf  # noqa: F401  (what its import takes is not counted)


def resident_megabytes() -> float:
    """Resident memory of this process, MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


BARE = resident_megabytes()

from medtf.config import Config  # noqa: E402
from medtf.data import dataset, decoding, keeping, pack, scan, volume_grid  # noqa: E402
from medtf.table import Table  # noqa: E402

PATCHES, BATCH, SIDE = 64, 16, 64


def experiment(**more) -> Config:
    """The peer's settings."""
    patches = {"sampler": "uniform", "patches_per_volume": PATCHES, "volumes_mixed": 4}
    return Config.model_validate(
        {
            "pipeline": "table",
            "targets": {"age": "regression"},
            "model": {"name": "cnn3d"},
            "input": {"size": SIDE, "patches": patches, "normalise": "none"} | more,
            "train": {"batch_size": BATCH},
        }
    )


def volumes(folder: str) -> Table:
    """A row a file; every file is a person of its own."""
    frame = scan.scan(folder, [p for p in scan.files_below(folder) if p.endswith((".nii", ".nii.gz"))])
    frame = frame[frame["excluded"] == ""].reset_index(drop=True)
    return Table(frame.assign(age=50.0, patient=[f"p{number}" for number in range(len(frame))]))


def patches_per_second(table: Table, folder: str, config: Config, passes: int) -> tuple[float, float]:
    """(best of the passes, largest resident memory seen, MB)."""
    best, most = 0.0, 0.0
    stream = dataset.make(table, folder, config, training=True)
    for _ in range(passes):
        start, count = time.perf_counter(), 0
        for number, (images, _, _) in enumerate(stream):
            count += len(images)
            if number % 8 == 0:
                most = max(most, resident_megabytes())
        best = max(best, count / (time.perf_counter() - start))
    return best, most


def peer(python: str, script: str, folder: str) -> dict[str, float]:
    """The peer's lines, `name: 123.4 patches/s`."""
    done = subprocess.run([python, script, folder], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{script}: {done.stderr.strip().splitlines()[-1]}")
    return {m[1]: float(m[2]) for m in re.finditer(r"^(.+): ([\d.]+) patches/s$", done.stdout, re.MULTILINE)}


def measured(table: Table, folder: str, packed: Path) -> dict[str, tuple[float, float]]:
    """Each way to read, and what it reached: (patches per second, resident MB)."""
    found = {"the very first pass": patches_per_second(table, folder, experiment(), 1)}
    found["from files"] = patches_per_second(table, folder, experiment(), 3)
    found["from files, z-scores"] = patches_per_second(table, folder, experiment(normalise="zscore"), 3)
    found["later passes, pack"] = patches_per_second(table, folder, experiment(keep=str(packed)), 3)
    keeping.fill(table, folder, experiment(keep="memory"))
    found["later passes, memory"] = patches_per_second(table, folder, experiment(keep="memory"), 3)
    found["later passes, memory, z-scores"] = patches_per_second(
        table, folder, experiment(keep="memory", normalise="zscore"), 3
    )
    keeping.forget()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--peer-python", help="interpreter of the peer's environment")
    parser.add_argument("--peer-script", default="../shared/bench/peer_volumes.py")
    given = parser.parse_args()
    table = volumes(given.folder)
    with tempfile.TemporaryDirectory() as scratch:
        packed = Path(scratch) / "volumes.pack"
        pack.write(table, given.folder, experiment(), packed)
        ours = measured(table, given.folder, packed)
        others = peer(given.peer_python, given.peer_script, given.folder) if given.peer_python else {}
        if others:
            again = measured(table, given.folder, packed)
            ours = {name: max(value, again[name]) for name, value in ours.items()}
    grid = volume_grid.plan(table.frame, experiment())
    told = decoding.size_of(table.frame, experiment(keep="memory"), grid) / 1e6
    print(f"{len(table)} volumes; kept in memory they are told to take {told:.0f} MB")
    for name, (speed, memory) in ours.items():
        beside = f"   {speed / max(others.values()):.2f} times the peer's best" if others else ""
        print(f"medtf {name}: {speed:.1f} patches/s{beside}   {memory - BARE:.0f} MB over TensorFlow's import")
    for name, value in others.items():
        print(f"{name}: {value:.1f} patches/s")


if __name__ == "__main__":
    main()
