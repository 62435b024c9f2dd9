"""How fast random changes of volumes are here: augment_volumes.py [--peer-python PATH] [--size 96] [--only NAME ...].

One volume of size^3 voxels, in memory, changed again and again by fresh draws: volumes per second, the best of three rounds, of the layers
of `medtf.augment.volume` as a plain step of TensorFlow and as one compiled by XLA. --peer-python names the interpreter of an environment with
TorchIO (pip install torch torchio): its counterpart follows, with equal parameters and as many threads, in the same run, and the ratio to it.
`copy` reads and writes the volume once: nothing that changes every voxel can be faster.
"""

import argparse
import json
import os
import subprocess
import sys
import time

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

ROUNDS = 3


def rate(work, seconds: float = 1.0) -> float:
    """Calls a second, after one call that warms."""
    work()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        work()
        count += 1
    return count / (time.perf_counter() - start)


def torchio(size: int) -> None:
    """Runs in the peer's environment: for each name on a line of the input, volumes/s of the counterpart on a line of the output."""
    import warnings

    warnings.filterwarnings("ignore")
    import torch
    import torchio as peer

    torch.set_num_threads(THREADS)
    shift = 0.05 * size
    transforms = {
        "flip": peer.RandomFlip(axes=(0,), flip_probability=1),
        "affine": peer.RandomAffine(scales=0.1, degrees=10, translation=shift, isotropic=True),
        "elastic": peer.RandomElasticDeformation(num_control_points=7, max_displacement=7.5),
        "bias field": peer.RandomBiasField(coefficients=0.5, order=3),
        "gamma": peer.RandomGamma(log_gamma=0.3),
        "noise": peer.RandomNoise(std=(0, 0.25)),
        "blur": peer.RandomBlur(std=(0, 2)),
        "ghosting": peer.RandomGhosting(num_ghosts=(4, 10), intensity=(0, 0.9)),
        "motion": peer.RandomMotion(degrees=10, translation=shift, num_transforms=2),
        "low resolution": peer.RandomAnisotropy(downsampling=(1, 5)),
    }
    subject = peer.Subject(image=peer.ScalarImage(tensor=torch.rand(1, size, size, size)))
    print(json.dumps(list(transforms)), flush=True)
    for line in sys.stdin:
        transform = transforms[line.strip()]
        print(rate(lambda transform=transform: transform(subject)), flush=True)


def layers() -> dict:
    """Ours, by the same names."""
    from medtf.augment.volume.affine import RandomAffine3D
    from medtf.augment.volume.bias import RandomBiasField
    from medtf.augment.volume.blur import RandomBlur
    from medtf.augment.volume.cutout import RandomCutout
    from medtf.augment.volume.elastic import RandomElastic
    from medtf.augment.volume.flip import RandomFlip3D
    from medtf.augment.volume.gamma import RandomGamma
    from medtf.augment.volume.ghosting import RandomGhosting
    from medtf.augment.volume.intensity import RandomIntensity3D
    from medtf.augment.volume.low_resolution import RandomLowResolution
    from medtf.augment.volume.motion import RandomMotion
    from medtf.augment.volume.noise import RandomNoise3D
    from medtf.augment.volume.rician import RandomRicianNoise

    return {
        "flip": RandomFlip3D(1.0),
        "affine": RandomAffine3D(10, 0.1, 0.05),
        "elastic": RandomElastic(7.5),
        "bias field": RandomBiasField(0.5),
        "gamma": RandomGamma(0.3),
        "noise": RandomNoise3D(0.25),
        "blur": RandomBlur(2.0),
        "ghosting": RandomGhosting(0.9),
        "motion": RandomMotion(10, movements=2),
        "low resolution": RandomLowResolution(4.0),
        "contrast": RandomIntensity3D(0.2, 0.2),
        "rician": RandomRicianNoise(0.25),
        "cutout": RandomCutout(1.0),
        "copy": None,
    }


def steps(layer, size: int) -> list:
    """One call of `layer` on a volume: plain, and compiled."""
    import tensorflow as tf

    volume = tf.random.uniform((1, size, size, size, 1), seed=0)
    change = (lambda x: x + 1.0) if layer is None else (lambda x: layer(x, training=True))
    made = [tf.function(change, jit_compile=compiled, autograph=False) for compiled in (False, True)]
    return [lambda step=step: step(volume) for step in made]


class Peer:
    """The peer's process, which measures when it is asked; idle in between."""

    def __init__(self, python: str, size: int):
        command = [python, __file__, "--size", str(size), "--as-peer"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.names = json.loads(self._line())

    def _line(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[0]}: ended with {self.process.wait()}")
        return line

    def rate(self, name: str) -> float:
        """Volumes/s of one round."""
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return float(self._line())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="interpreter of the peer's environment")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_peer:
        torchio(given.size)
        return
    from medtf.quiet import quiet

    with quiet():
        known = layers()
    names = given.only or list(known)
    if unknown := set(names) - set(known):
        parser.error(f"no {', '.join(sorted(unknown))}: there is {', '.join(known)}")
    peer = Peer(given.peer_python, given.size) if given.peer_python else None
    print(f"{given.size}^3 voxels, one volume, {THREADS} threads", flush=True)
    for name in names:
        plain, compiled = steps(known[name], given.size)
        best = [0.0, 0.0, 0.0]
        for _ in range(ROUNDS):  # in turns, so that what else the machine does meets all alike
            rates = [rate(plain), rate(compiled), peer.rate(name) if peer and name in peer.names else 0.0]
            best = [max(pair) for pair in zip(best, rates, strict=True)]
        line = f"{name}: {max(best[:2]):.1f} volumes/s   plain {best[0]:.1f}, compiled {best[1]:.1f}"
        if best[2]:
            line += f"   torchio {best[2]:.1f}   ratio plain {best[0] / best[2]:.2f}, compiled {best[1] / best[2]:.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
