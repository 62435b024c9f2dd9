"""How fast Grad-CAM is here: grad_cam.py [--peer-python PATH] [--batches 8 32] [--rounds 3] [--only inception cnn3d] [--memory N].

InceptionV3 with a head of two findings at 299 pixels, and `cnn3d` at 64^3 voxels; weights drawn once with a seed. What is timed is what a user
calls: NumPy images in, `GradCAM().heatmap` (heat maps at the size of the images) or `GradCAM().explain` (pictures under them) out. The first call,
which traces, is told apart from the median of the rounds. Besides the clock the processor's seconds are told: they count the work of all
threads, and other programs on the machine do not slow them.

--peer-python names the interpreter of an environment with tf-explain (TensorFlow 2.15 is the last one with the Keras it was written for):

    python3.11 -m venv PEER
    PEER/bin/pip install tensorflow-cpu==2.15.1 tf-explain==0.3.1 opencv-python-headless matplotlib

It runs the same networks with the same weights and as many threads, in turns with ours. Before anything is timed both must say the same of the
same images (to 1e-4), and their heat maps must be the same. tf-explain's `explain` is held against ours, without guided gradients, which are
not the paper's; its heat maps (`get_gradients_and_filters` and `generate_ponderated_output`: 8 x 8, not enlarged) against our `heatmap`. Of
volumes it makes no pictures, and it takes the mean of the gradient over two of the three axes: its map of a volume is Grad-CAM only where the
gradient is the same at all places, as behind the global pooling of this network. `by hand` is Grad-CAM as its user would write it around
`tf.GradientTape`, the inner model built once, not enlarged; `compiled by hand` the same inside `tf.function`.

--memory N explains N examples of each network and tells the resident memory after every hundred; it fails where the memory after N is more
than 5 % above that after 200.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from grad_cam_networks import CLASSES, LAYERS, SIZES, THREADS, draw, give, images, inception, limit_threads, timed

UNITS = {"inception": "images", "cnn3d": "volumes"}
# network -> (ours, the peer's) that are held against each other
PAIRS = {
    "inception": (
        ("heatmap", "heatmap"),
        ("explain", "explain"),
        ("heatmap", "by hand"),
        ("heatmap", "compiled by hand"),
    ),
    "cnn3d": (("heatmap", "heatmap"), ("heatmap", "by hand"), ("heatmap", "compiled by hand")),
}
# the peer's calls, as they are told
TOLD = {
    "heatmap": "tf-explain heatmap",
    "explain": "tf-explain explain",
    "by hand": "TensorFlow by hand",
    "compiled by hand": "TensorFlow compiled by hand",
}
GROWTH = 0.05


def network(name: str, file: Path):
    """Ours, with the drawn weights, which are left in `file` for the peer."""
    import keras

    from medtf.config import Model, Target
    from medtf.models.build import build

    if name == "inception":
        model = inception(keras)
    else:
        model = build(Model(name="cnn3d", weights="none"), SIZES["cnn3d"], {"finding": Target(kind="binary")})
    np.savez(file, **draw(model))
    give(model, file)
    return model


def calls(name: str, model) -> dict:
    """What is timed, by name: images -> arrays. A GradCAM is made for each call, as by a user who keeps none."""
    from medtf.explain.grad_cam import GradCAM

    how = {"class_index": CLASSES[name], "layer_name": LAYERS[name]}
    return {
        "answers": lambda x: np.concatenate(list(found.values()) if isinstance(found := model(x), dict) else [found]),
        "heatmap": lambda x: GradCAM().heatmap(x, model, **how),
        "stretched": lambda x: GradCAM(fields=False).heatmap(x, model, **how),  # as the peer's: for agreement alone
        "explain": lambda x: GradCAM().explain((x, None), model, **how),
    }


class Peer:
    """The peer's process; idle until it is asked."""

    def __init__(self, python: str, folder: Path):
        self.folder = folder
        command = [python, str(Path(__file__).with_name("grad_cam_peer.py"))]
        pipe = subprocess.PIPE
        with open(folder / "stderr", "w") as errors:
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True)
        self.version = json.loads(self._line())

    def _line(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            said = (self.folder / "stderr").read_text().strip().splitlines()[-1:]
            sys.exit(f"{self.process.args[0]}: ended with {self.process.wait()}: {' '.join(said)}")
        return line

    def _ask(self, name: str, call: str, count: int, file=None):
        weights = str(self.folder / f"{name}.npz")
        asked = {"network": name, "weights": weights, "call": call, "count": count, "file": file}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return json.loads(self._line())

    def seconds(self, name: str, call: str, count: int) -> tuple[float, float]:
        """Of one call, (clock, processor)."""
        return tuple(self._ask(name, call, count))

    def array(self, name: str, call: str, count: int) -> np.ndarray:
        """What a call gives."""
        file = str(self.folder / "answer.npy")
        self._ask(name, call, count, file)
        return np.load(file)


def agree(name: str, ours: dict, peer: Peer, count: int = 4) -> None:
    """Ends the program where the two sides do not say the same."""
    from medtf.explain.enlarge import enlarged
    from medtf.explain.method import scaled

    x = images(name, count)
    mine = ours["answers"](x)
    apart = float(np.abs(mine - peer.array(name, "answers", count)).max())
    print(f"{name}, answers: {mine.min():.4f} to {mine.max():.4f}, apart by at most {apart:.1e}", flush=True)
    if not apart < 1e-4:
        sys.exit(f"{name}: the two networks do not say the same: nothing is timed")
    mine = ours["stretched"](x)  # medtf puts places where they look; the peer has its maps small
    for call in ("heatmap", "by hand", "compiled by hand"):
        theirs = np.maximum(peer.array(name, call, count), 0)  # tf-explain leaves the paper's ReLU out
        theirs = scaled(np.array(enlarged(theirs, x.shape[1:-1])))
        apart, alike = np.abs(mine - theirs).max(), np.corrcoef(mine.ravel(), theirs.ravel())[0, 1]
        print(
            f"{name}, heat maps beside {TOLD[call]}: apart by at most {apart:.1e}, correlation {alike:.6f}", flush=True
        )
        if not apart < 1e-3 and (name, call) != ("cnn3d", "heatmap"):
            sys.exit(f"{name}: the heat maps are not the same: nothing is timed")


def compare(name: str, ours: dict, peer: Peer | None, count: int, rounds: int) -> None:
    """Time ours and the peer's in turns, and tell."""
    x = images(name, count)
    jobs = {f"medtf {call}": lambda call=call: timed(ours[call], x) for call in ("heatmap", "explain")}
    for _, call in PAIRS[name] if peer else ():
        jobs[TOLD[call]] = lambda call=call: peer.seconds(name, call, count)
    taken = {job: [] for job in jobs}
    for _ in range(rounds + 1):  # in turns, so that what else the machine does meets all alike
        for job, run in jobs.items():
            taken[job].append(run())
    for job, (first, *seconds) in taken.items():
        clock, processor = map(statistics.median, zip(*seconds, strict=True))
        more = f"first call {first[0]:.1f} s, processor {1000 * processor / count:.0f} ms each"
        print(f"{name} in {count}, {job}: {count / clock:.1f} {UNITS[name]}/s   {more}", flush=True)
    for mine, theirs in PAIRS[name] if peer else ():
        ratios = np.array(taken[TOLD[theirs]][1:]) / np.array(taken[f"medtf {mine}"][1:])
        clock, processor = np.median(ratios, axis=0)
        told = f"{clock:.2f} times as fast   by the processor {processor:.2f}"
        print(f"{name} in {count}, medtf {mine} beside {TOLD[theirs]}: {told}", flush=True)


def resident_megabytes() -> float:
    """Resident memory of this process, MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def memory(name: str, ours: dict, total: int, batch: int) -> None:
    """Explain `total` examples; tells the memory after every hundred, and ends the program where it grows."""
    held, x = {}, images(name, 100)
    for done in range(100, total + 1, 100):
        for at in range(0, 100, batch):
            ours["heatmap"](x[at : at + batch])
        held[done] = resident_megabytes()
        print(f"{name}, resident memory after {done}: {held[done]:.0f} MB", flush=True)
    growth = held[max(held)] / held[200] - 1
    print(f"{name}, growth of memory from 200 to {max(held)}: {100 * growth:.1f} %", flush=True)
    if growth > GROWTH:
        sys.exit(f"{name}: the memory grows by more than {GROWTH:.0%}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", metavar="PATH", help="interpreter of the peer's environment")
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 32], metavar="N", help="examples in one call")
    parser.add_argument("--rounds", type=int, default=3, help="timed calls of each, after the first")
    parser.add_argument("--only", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument(
        "--memory", type=int, metavar="N", help="explain N examples and watch the memory; nothing is timed"
    )
    given = parser.parse_args()
    if given.memory and given.memory < 300:
        parser.error("--memory: 300 or more, for the first 200 are not counted")

    from medtf.quiet import quiet

    with quiet():
        limit_threads()
        import keras
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(given.peer_python, Path(folder)) if given.peer_python and not given.memory else None
        beside = f", beside tf-explain on TensorFlow {peer.version}" if peer else ""
        print(f"Keras {keras.__version__} on {keras.backend.backend()}, {THREADS} threads{beside}", flush=True)
        for name in given.only:
            ours = calls(name, network(name, Path(folder) / f"{name}.npz"))
            if given.memory:
                memory(name, ours, given.memory, given.batches[0])
                continue
            if peer:
                agree(name, ours, peer)
            for count in given.batches:
                compare(name, ours, peer, count, given.rounds)


if __name__ == "__main__":
    main()
