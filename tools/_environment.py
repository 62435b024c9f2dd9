#!/usr/bin/env python3
"""The checkout's own environment: .venv with medtf in it, and every cache and temporary file under .cache/.

`tools/demo` and `tools/test` use it. `tools/_environment.py [EXTRA] -- COMMAND ...` runs any command inside it.
Needs nothing but Python and its standard library; a second run finds all in place and installs nothing.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "medtf-installed.json"
SUPPORTED = ((3, 11), (3, 12), (3, 13))


def say(text):
    """One line on stdout, at once: pip's own output follows it."""
    print("==> " + text, flush=True)


def fail(text):
    """End with one clear line."""
    sys.exit(f"tools/{Path(sys.argv[0]).name}: {text}")


def contained(temporary):
    """The environment variables that keep every file of a run inside the checkout."""
    others = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")  # they would bring in another Python's packages
    kept = {key: value for key, value in os.environ.items() if key not in others}
    homes = {
        "CUDA_CACHE_PATH": "cuda",
        "DASK_CONFIG": "dask",
        "KERAS_HOME": "keras",
        "MEDTF_HOME": "medtf",
        "MPLCONFIGDIR": "matplotlib",
        "PIP_CACHE_DIR": "pip",
        "PRE_COMMIT_HOME": "pre-commit",
        "WANDB_CACHE_DIR": "wandb/cache",
        "WANDB_CONFIG_DIR": "wandb/config",
        "WANDB_DATA_DIR": "wandb/data",
        "WANDB_DIR": "wandb",
        "XDG_CACHE_HOME": "xdg/cache",
        "XDG_CONFIG_HOME": "xdg/config",
        "XDG_DATA_HOME": "xdg/data",
        "XDG_STATE_HOME": "xdg/state",
    }
    for key, folder in homes.items():
        kept[key] = str(CACHE / folder)
        (CACHE / folder).mkdir(parents=True, exist_ok=True)
    kept.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary))
    kept.update(VIRTUAL_ENV=str(VENV), PATH=str(BIN) + os.pathsep + os.environ.get("PATH", os.defpath))
    kept.update(PYTHONNOUSERSITE="1", PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1", WANDB_MODE="offline")
    return kept


def run(command, extra=""):
    """Make sure of the environment, run a command inside it and give back its exit code."""
    if sys.version_info[:2] not in SUPPORTED:
        fail(
            f"needs Python 3.11, 3.12 or 3.13 and runs on {platform.python_version()};"
            f" say which: python3.12 {sys.argv[0]}"
        )
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=str(CACHE)) as temporary:
        environment = contained(temporary)
        install(extra, environment)
        say("running: " + " ".join(command))
        try:
            program = shutil.which(command[0], path=environment["PATH"]) or fail(f"no such command: {command[0]}")
            code = subprocess.call([program, *command[1:]], env=environment, cwd=str(ROOT))
        except KeyboardInterrupt:
            return 130
    return 128 - code if code < 0 else code  # ended by a signal: 128 + its number, as a shell says it


def install(extra, environment):
    """`pip install -e .[extra]` into .venv, unless the stamp says that just this is there."""
    wanted = {"python": platform.python_version(), "folder": str(ROOT), "requirements": _requirements()}
    there = _stamp()
    extras = set(there.get("extras", []))
    if all(there.get(key) == value for key, value in wanted.items()) and extras >= {extra} - {""}:
        say("found: .venv is up to date, nothing to install")
        return
    if not PYTHON.exists() or any(there.get(key) != wanted[key] for key in ("python", "folder")):
        say(f"making .venv with Python {wanted['python']}")
        _do([sys.executable, "-m", "venv", "--clear", str(VENV)], environment)
        extras = set()
    STAMP.unlink(missing_ok=True)  # an install that breaks off must not look like a whole one
    extras |= {extra} - {""}
    named = f".[{','.join(sorted(extras))}]" if extras else "."
    say(f"installing medtf: pip install -e {named} (TensorFlow and all: about 3 GB, some minutes, once)")
    _do([str(PYTHON), "-m", "pip", "install", "--quiet", "-e", named], environment)
    STAMP.write_text(json.dumps({**wanted, "extras": sorted(extras)}), encoding="utf-8")


def _requirements():
    return hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in ("setup.cfg", "pyproject.toml"))).hexdigest()


def _stamp():
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _do(command, environment):
    code = subprocess.call(command, env=environment, cwd=str(ROOT))
    if code:
        fail("this failed with {}: {}".format(code, " ".join(command)))


def main():
    """`_environment.py [EXTRA] -- COMMAND ...`."""
    before, dashes, command = sys.argv[1:], "--" in sys.argv, []
    if dashes:
        before, command = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    if not command or len(before) > 1:
        fail("expected: tools/_environment.py [EXTRA] -- COMMAND ...")
    sys.exit(run(command, *before))


if __name__ == "__main__":
    main()
