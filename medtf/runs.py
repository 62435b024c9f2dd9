"""The run folder: what a training leaves behind, each file whole or not there at all.

    config.yaml  environment.json  local.json  table.parquet  history.csv  checkpoints/  model.keras  model.json  thresholds.json
    calibration.json  valid_predictions.parquet  metrics.json  predictions.parquet  gallery.json  report.html  report.pdf  plots/
    pretraining.json and task.npz in place of thresholds and calibration, where there are no targets

`local.json` holds what belongs to this machine alone (the data root) and is never published. The folder of a cross-validation holds
`folds.json` and one run folder a fold (`medtf/folds.py`).
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
from medtf.errors import AskedWronglyError, MedtfError, nearest

SCHEMA = 1
FOLDS = "folds.json"  # what tells the folder of a cross-validation from a run folder
ENSEMBLE = "ensemble.json"  # and that of an ensemble
PRETRAINING = "pretraining.json"  # and that of a pretraining, whose model is an encoder
PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "pydicom", "scikit-learn", "pyarrow")


class Run:
    """One run folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.checkpoint = self.folder / "checkpoints" / "last.npz"
        self.best = self.folder / "checkpoints" / "best.weights.npz"
        self.carried = self.folder / "checkpoints" / "carried.npz"  # what a stage leaves to the next
        self.model = self.folder / "model.keras"
        self.history = self.folder / "history.csv"
        self.predictions = self.folder / "predictions.parquet"
        self.report = self.folder / "report.html"
        self.plots = self.folder / "plots"
        self.parts = self.folder.with_name(f".{self.folder.name}.index")  # of an index that `fit` makes itself

    def ended(self) -> bool:
        """Has the training come to its end?"""
        model = self.model.is_file() or (self.folder / ENSEMBLE).is_file()
        return model and any((self.folder / name).is_file() for name in ("thresholds.json", PRETRAINING))

    def checkpoint_of(self, stage: int) -> Path:
        """Where a stage of progressive training keeps its state; the first one's is `checkpoint`."""
        return self.checkpoint.with_name(f"last-{stage + 1}.npz") if stage else self.checkpoint

    def create(
        self,
        config: configs.Config,
        table: tables.Table,
        root,
        environment: dict,
        *,
        folds: dict | None = None,
        beside=None,
    ) -> "Run":
        """Make the folder with all that is known before training, or leave nothing; `folds` makes it that of a cross-validation.

        `beside` takes the folder and puts more into it (`lineage.Past.write`).
        """
        building = self.folder.with_name(f".{self.folder.name}.{os.getpid()}")
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir(parents=True)
            (building / "config.yaml").write_text(configs.dump(config), encoding="utf-8")
            (building / "environment.json").write_text(json.dumps(environment, indent=1), encoding="utf-8")
            (building / "local.json").write_text(json.dumps({"data": str(Path(root).resolve())}), encoding="utf-8")
            tables.save(table, building / "table.parquet")
            if beside is not None:
                beside(building)
            if folds is not None:
                (building / FOLDS).write_text(json.dumps(folds, indent=1), encoding="utf-8")
            else:
                (building / "checkpoints").mkdir()
            os.rename(building, self.folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return self

    def config(self) -> configs.Config:
        """The resolved config of the run."""
        path = self.folder / "config.yaml"
        try:
            raw = yaml.safe_load(self._text("config.yaml"))
        except yaml.YAMLError as error:
            raise MedtfError(f"{path}: damaged: not YAML") from error
        if not isinstance(raw, dict):
            raise MedtfError(f"{path}: damaged: expected `key: value` lines")
        return configs.parse(raw, str(path))

    def table(self) -> tables.Table:
        """The example table with folds."""
        found = tables.load(self.folder / "table.parquet")
        if "fold" not in found.frame:
            raise MedtfError(f"{self.folder / 'table.parquet'}: has no folds: it is not the table that `fit` wrote")
        return found

    def rows_of(self, fold: str) -> tables.Table:
        """The table, once it is sure that it holds a fold.

        Raises:
            AskedWronglyError: no such fold, or nobody in it.
        """
        found = self.table()
        there = [name for name in tables.FOLDS if (found.frame["fold"] == name).any()]
        if fold not in there:
            why = "" if fold in tables.FOLDS else f" ({nearest(fold, tables.FOLDS)})"
            raise AskedWronglyError(f"--split {fold}: the run has no such fold{why}; it has {', '.join(there)}")
        return found

    def root(self, given=None) -> Path:
        """The data root: what is given, else where `fit` found it.

        Raises:
            MedtfError: the folder is not there.
        """
        root = Path(given or self.read_json("local.json").get("data", ""))
        if root.is_dir():
            return root
        what = "is a file; expected a folder" if root.is_file() else "no such folder"
        raise MedtfError(f"data root {root}: {what}" + ("" if given else " any more: say where it is with --data"))

    def write_json(self, name: str, content: dict) -> Path:
        """Write one JSON file, whole."""
        return write_text(self.folder / name, json.dumps(content, indent=1, allow_nan=False) + "\n")

    def read_json(self, name: str) -> dict:
        """Read one JSON file."""
        try:
            found = json.loads(self._text(name))
        except ValueError as error:
            raise MedtfError(f"{self.folder / name}: damaged: not JSON; copy it again") from error
        if not isinstance(found, dict):
            raise MedtfError(f"{self.folder / name}: damaged: expected a JSON object")
        return found

    def _text(self, name: str) -> str:
        path = self.folder / name
        if not path.is_file():
            raise AskedWronglyError(f"{self.folder}: not a run folder: it has no {name}")
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise MedtfError(f"{path}: damaged: not UTF-8") from error


def new(folder, option: str = "--run") -> Run:
    """A run that is not there yet.

    Raises:
        AskedWronglyError: the folder exists, or a file stands in its way. MedtfError: it cannot be made there.
    """
    run = Run(folder)
    if run.folder.exists():
        more = ", or go on with --resume" if option == "--run" else ""
        raise AskedWronglyError(f"{folder}: exists already; take another {option}{more}")
    refuse_unwritable(run.folder.parent, f"{option} {folder}")
    return run


def existing(folder) -> Run:
    """A run that is there.

    Raises:
        AskedWronglyError: no folder, or no run.
    """
    run = Run(folder)
    if run.folder.is_file():
        raise AskedWronglyError(f"{folder}: is a file; expected the run folder, such as {run.folder.parent}")
    if not run.folder.is_dir():
        raise AskedWronglyError(f"{folder}: no such run folder")
    if (run.folder / "plan.json").is_file():
        raise AskedWronglyError(f"{folder}: is a label-fraction curve; name one of its runs in {run.folder / 'runs'}")
    run._text("config.yaml")
    if is_parent(folder):
        raise AskedWronglyError(
            f"{folder}: is a cross-validation; name one of its runs, such as {run.folder / 'fold-0'}"
            f" (`medtf evaluate {folder}` judges all folds together)"
        )
    return run


def is_parent(folder) -> bool:
    """Is this the folder of a cross-validation (`medtf fit --folds`), which holds one run a fold?"""
    return (Path(folder) / FOLDS).is_file()


def is_pretraining(folder) -> bool:
    """Is this a finished pretraining, which holds an encoder and gives no answers?"""
    return (Path(folder) / PRETRAINING).is_file()


def finished(folder) -> Run:
    """A run whose training has ended, and which gives answers.

    Raises:
        AskedWronglyError: no run, or a pretraining. MedtfError: it was stopped before the end.
    """
    run = existing(folder)
    if is_pretraining(folder):
        raise AskedWronglyError(
            f"{folder}: is a pretraining: its encoder gives no answers. Begin a training with it (medtf fit CONFIG --set model.weights={folder}),"
            f" ask what it knows (`medtf probe CONFIG --weights {folder}`), or judge its task (`medtf evaluate {folder}`)"
        )
    model = run.folder / ENSEMBLE if (run.folder / ENSEMBLE).is_file() else run.model
    absent = [path.name for path in (model, run.folder / "thresholds.json") if not path.is_file()]
    if absent:
        raise MedtfError(
            f"{folder}: the training has not ended (no {absent[0]} yet):"
            f" finish it with `medtf fit {run.folder / 'config.yaml'} --run {folder} --resume`"
        )
    return run


def unfinished(folder) -> Run:
    """A run that `fit --resume` can go on with.

    Raises:
        AskedWronglyError: no run. MedtfError: the training has ended.
    """
    run = existing(folder)
    if run.ended():
        raise MedtfError(f"{folder}: the training has ended; judge it with `medtf evaluate {folder}`")
    return run


def refuse_unwritable(folder: Path, named: str) -> None:
    """Look at the nearest folder that is there already, so that hours of work do not end at a closed door.

    Raises:
        AskedWronglyError: a file where a folder is needed. MedtfError: a folder that is read-only.
    """
    folder = Path(folder).absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise AskedWronglyError(f"{named}: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise MedtfError(f"{named}: the folder {folder} cannot be written to (read-only, or not yours); choose another")


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
