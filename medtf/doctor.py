"""What this machine has and lacks, as data: versions, devices, decoders, W&B, disk, key. Nothing asks the network.

`medtf doctor` prints it.
"""

import os
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from medtf import __version__
from medtf.quiet import quiet
from medtf.salt import key_file

DISK_NEEDED = 1.0  # GiB; a run of InceptionV3 with its checkpoints takes about half
GIB = 1024**3

# family -> (transfer syntaxes, PS3.6 annex A; what to install where one of them has no decoder)
DECODERS = {
    "uncompressed": (("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"), "pydicom"),
    "deflated": (("1.2.840.10008.1.2.1.99",), "pydicom"),
    "JPEG baseline, extended": (("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"), "python-gdcm"),
    "JPEG lossless": (("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"), "python-gdcm"),
    "JPEG-LS": (("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"), "pyjpegls"),
    "JPEG 2000": (("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"), "pylibjpeg pylibjpeg-openjpeg"),
    "HTJ2K": (
        ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"),
        "pylibjpeg pylibjpeg-openjpeg",
    ),
    "RLE": (("1.2.840.10008.1.2.5",), "pylibjpeg pylibjpeg-rle"),
}


@dataclass(frozen=True)
class Fact:
    """One line of the examination; `missing` says what is lacking and how to mend it, empty where all is well."""

    name: str
    value: str
    missing: str = ""


def examine(folder: str | Path = ".") -> dict[str, list[Fact]]:
    """All facts by section. `folder` is where runs go."""
    return {
        "versions": versions(),
        "devices": devices(),
        "precision": precision(),
        "decoders": decoders(),
        "W&B": wandb_state(),
        "storage": storage(Path(folder)),
    }


def missing(facts: dict[str, list[Fact]]) -> list[str]:
    """What is needed and lacking."""
    return [fact.missing for section in facts.values() for fact in section if fact.missing]


def versions() -> list[Fact]:
    """medtf, Python and every dependency, held against the lower bound that medtf was installed with."""
    facts = [Fact("medtf", __version__), Fact("python", f"{platform.python_version()} ({sys.platform})")]
    try:
        required = metadata.requires("medtf") or []
    except metadata.PackageNotFoundError:
        return [*facts, Fact("dependencies", "unknown", "medtf is not installed: pip install -e .")]
    wanted = [found.groups() for text in required if (found := _REQUIREMENT.match(text))]
    for name, bound, extra in wanted:
        if not extra:
            facts.append(_dependency(name, bound))
    optional = {name: extra for name, _, extra in wanted if extra in ("jax", "export", "cluster")}
    facts += [Fact(name, _version(name) or f"not installed (pip install 'medtf[{e}]')") for name, e in optional.items()]
    return facts


def devices() -> list[Fact]:
    """CPU cores and memory that this process may use, and the GPUs that the Keras backend sees."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = [Fact("CPU", f"{cores} of {os.cpu_count()} cores, {platform.machine()}")]
    if hasattr(os, "sysconf"):
        facts.append(Fact("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.1f} GiB"))
    try:
        backend, gpus = _engine()
    except Exception as error:  # a broken installation fails in many ways; to say which is what a doctor is for
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return [*facts, Fact("engine", "cannot be imported", f"TensorFlow and Keras cannot be imported ({reason})")]
    facts.append(Fact("engine", f"Keras on {backend}"))
    for gpu in gpus:
        capability = "compute capability {}.{}".format(*gpu.capability) if gpu.capability else "no compute capability"
        facts.append(Fact("GPU", f"{gpu.name}, {capability}"))
    if not gpus:
        facts.append(Fact("GPU", _why_no_gpu(backend)))
    return facts


def precision() -> list[Fact]:
    """What `precision: auto` and `jit: auto` become here."""
    from medtf.precision import choose

    try:
        with quiet():
            policy, jit, reason = choose("auto", "auto")
    except Exception as error:  # named by devices() already
        return [Fact("auto", f"unknown ({type(error).__name__})")]
    return [Fact("precision", policy), Fact("jit", "on" if jit else "off"), Fact("why", reason)]


def decoders() -> list[Fact]:
    """Which plugins decode which DICOM transfer syntaxes. None of them is fetched or tried on a file."""
    try:
        from pydicom.pixels import get_decoder
    except ImportError as error:
        return [Fact("DICOM", "none", f"pydicom cannot be imported ({error}): pip install 'pydicom>=3.0.1'")]
    facts = []
    for family, (uids, package) in DECODERS.items():
        found = [get_decoder(uid) for uid in uids]
        lacking = [decoder.UID.name for decoder in found if not decoder.is_available]
        if lacking:
            value = "none" if len(lacking) == len(found) else f"none for {'; '.join(lacking)}"
            facts.append(Fact(family, value, f"{family} decoder: pip install {package}"))
            continue
        plugins = [p for p in found[0].available_plugins if all(p in decoder.available_plugins for decoder in found)]
        facts.append(Fact(family, ", ".join(plugins) or "built in"))
    return facts


def wandb_state() -> list[Fact]:
    """W&B's version, whether a key for it is here (which is not shown), and its mode. The server is not asked."""
    host = re.sub(r"^https?://", "", os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").split("/")[0]
    files = [os.environ.get("NETRC") or "~/.netrc", "~/_netrc"]
    logged_in = "WANDB_API_KEY" in os.environ or any(_names_host(Path(f).expanduser(), host) for f in files)
    return [
        Fact("version", _version("wandb") or "not installed"),
        Fact("login", f"a key for {host} is here" if logged_in else "not logged in (not needed offline)"),
        Fact("mode", os.environ.get("WANDB_MODE") or "offline"),
    ]


def storage(folder: Path) -> list[Fact]:
    """Free disk and the right to write where runs go, and the secret that patients' ids are hashed with."""
    free = shutil.disk_usage(folder).free / GIB
    lack = f"disk space in {folder.resolve()}: a run needs about {DISK_NEEDED:g} GiB" if free < DISK_NEEDED else ""
    facts = [Fact("free disk", f"{free:.1f} GiB in {folder.resolve()}", lack)]
    try:
        with tempfile.TemporaryFile(dir=folder):
            facts.append(Fact("writing", f"allowed in {folder.resolve()}"))
    except OSError as error:
        lack = f"permission to write in {folder.resolve()} ({error.strerror}): run medtf from a folder of yours"
        facts.append(Fact("writing", "refused", lack))
    if os.environ.get("MEDTF_SALT"):
        return [*facts, Fact("key", "from MEDTF_SALT")]
    path = key_file()
    if path.exists() and not os.access(path, os.R_OK):
        return [*facts, Fact("key", f"{path} cannot be read", f"the right to read the key file {path}")]
    return [*facts, Fact("key", str(path) if path.exists() else f"{path} (will be made at first use)")]


# `name[extra]>=1.2; extra == "jax"`: the only form that setup.cfg uses
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?\s*>=\s*([0-9.]+)\s*(?:;.*extra\s*==\s*['\"](\w+)['\"].*)?$")


def _dependency(name: str, bound: str) -> Fact:
    version = _version(name)
    if version is None:
        return Fact(name, "not installed", f"{name}: pip install '{name}>={bound}'")
    if _numbers(version) < _numbers(bound):
        return Fact(name, version, f"{name} {bound} or newer: pip install '{name}>={bound}'")
    return Fact(name, version)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """(3, 0, 1) of `3.0.1`; trailing zeros do not count, and what follows the numbers (rc1, +cpu) is left out."""
    numbers = [int(part) for part in re.match(r"\d*(?:\.\d+)*", version)[0].split(".") if part]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _engine() -> tuple[str, list]:
    with quiet():
        import keras

        from medtf.precision import visible_gpus

        return keras.backend.backend(), visible_gpus()


def _why_no_gpu(backend: str) -> str:
    driver = Path("/proc/driver/nvidia/gpus")
    if not driver.is_dir() or not any(driver.iterdir()):
        return "none"
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return "hidden by CUDA_VISIBLE_DEVICES"
    wanted = "'jax[cuda12]'" if backend == "jax" else "'medtf[cuda]'"
    return f"the driver has one, but {backend} does not see it: pip install {wanted}"


def _names_host(file: Path, host: str) -> bool:
    """Whether a netrc file has an entry for the host; its words are matched, its secrets not taken out."""
    try:
        return re.search(rf"\bmachine\s+{re.escape(host)}(?=\s)", file.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False
