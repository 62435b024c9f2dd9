"""The run folder: what a training leaves behind, each file whole or not there at all.

    config.yaml  environment.json  local.json  table.parquet  history.csv  checkpoints/  model.keras  thresholds.json
    metrics.json  predictions.parquet  report.html  plots/

`local.json` holds what belongs to this machine alone (the data root) and is never published.
"""

import json
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from medtf import __version__
from medtf import config as configs
from medtf import table as tables
from medtf.errors import AskedWronglyError, MedtfError

SCHEMA = 1
PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "pydicom", "scikit-learn", "pyarrow")


class Run:
    """One run folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.checkpoint = self.folder / "checkpoints" / "last.npz"
        self.best = self.folder / "checkpoints" / "best.weights.npz"
        self.model = self.folder / "model.keras"
        self.history = self.folder / "history.csv"
        self.predictions = self.folder / "predictions.parquet"
        self.report = self.folder / "report.html"
        self.plots = self.folder / "plots"

    def create(self, config: configs.Config, table: tables.Table, root, environment: dict) -> "Run":
        """Make the folder with all that is known before training, or leave nothing."""
        building = self.folder.with_name(f".{self.folder.name}.{os.getpid()}")
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir(parents=True)
            (building / "config.yaml").write_text(configs.dump(config), encoding="utf-8")
            (building / "environment.json").write_text(json.dumps(environment, indent=1), encoding="utf-8")
            (building / "local.json").write_text(json.dumps({"data": str(Path(root).resolve())}), encoding="utf-8")
            tables.save(table, building / "table.parquet")
            (building / "checkpoints").mkdir()
            os.rename(building, self.folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return self

    def config(self) -> configs.Config:
        """The resolved config of the run."""
        return configs.parse(yaml.safe_load(self._text("config.yaml")), str(self.folder / "config.yaml"))

    def table(self) -> tables.Table:
        """The example table with folds."""
        return tables.load(self.folder / "table.parquet")

    def root(self, given=None) -> Path:
        """The data root: what is given, else where `fit` found it.

        Raises:
            MedtfError: the folder is not there.
        """
        root = Path(given or json.loads(self._text("local.json"))["data"])
        if not root.is_dir():
            raise MedtfError(
                f"data root {root}: no such folder{'' if given else ' any more: say where it is with --data'}"
            )
        return root

    def write_json(self, name: str, content: dict) -> Path:
        """Write one JSON file, whole."""
        return write_text(self.folder / name, json.dumps(content, indent=1, allow_nan=False) + "\n")

    def read_json(self, name: str) -> dict:
        """Read one JSON file."""
        return json.loads(self._text(name))

    def _text(self, name: str) -> str:
        path = self.folder / name
        if not path.is_file():
            raise AskedWronglyError(f"{self.folder}: not a run folder: it has no {name}")
        return path.read_text(encoding="utf-8")


def new(folder) -> Run:
    """A run that is not there yet.

    Raises:
        AskedWronglyError: the folder exists.
    """
    run = Run(folder)
    if run.folder.exists():
        raise AskedWronglyError(f"{folder}: exists already; take another --run, or go on with --resume")
    return run


def existing(folder) -> Run:
    """A run that is there.

    Raises:
        AskedWronglyError: no folder, or no run.
    """
    run = Run(folder)
    if not run.folder.is_dir():
        raise AskedWronglyError(f"{folder}: no such run folder")
    run._text("config.yaml")
    return run


def write_text(path: Path, text: str) -> Path:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def environment(**more) -> dict:
    """Versions, and what the caller knows of devices and precision. No host name, no user, no path."""
    found = {
        "schema": SCHEMA,
        "medtf": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found | {"cores": os.cpu_count(), **more}
