"""The house's own rules: packaging, imports that run one way, sizes, headers, no traces of one machine."""

import ast
import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest

from medtf import config

ROOT = Path(__file__).resolve().parent.parent
# folder in the checkout -> the package it is installed as
FOLDERS = {"medtf": "medtf", "pipelines": "medtf.pipelines", "configs": "medtf.configs"}
# may import tensorflow outside medtf/data, each with its reason
TENSORFLOW = {
    "medtf.precision": "asks which GPUs there are",
    "medtf.doctor": "asks which GPUs there are",
    "medtf.cli.show": "imports it early, to keep its greeting off the terminal",
    "medtf.explain.gradients": "has gradients of TensorFlow's tape",
    "medtf.train": "MirroredStrategy and seeds",
}
# the lowest floor: may be imported by everything, imports nothing above itself
# (the two that config may read are plain tables of names)
CONFIG_MAY = {"medtf.config": {"medtf.data.windows", "medtf.models.names"}}
ABOVE_TABLE = [f"medtf.{name}" for name in ("augment", "cli", "data", "evaluate", "explain", "models", "pipelines")]
ABOVE_TABLE += ["medtf.fitting", "medtf.pretrain", "medtf.runs", "medtf.track", "medtf.train"]


def module_of(path: Path) -> str:
    """`medtf.data.windows` of medtf/data/windows.py, `medtf.pipelines.ixi` of pipelines/ixi.py."""
    first, *rest = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([FOLDERS[first], *(part for part in rest if part != "__init__")])


SOURCES = {module_of(path): path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))}


def imports(module: str, path: Path) -> set[str]:
    """Every module that a file imports, at the top or inside functions; `from a import b` counts as a.b and as a."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


IMPORTS = {module: imports(module, path) for module, path in SOURCES.items()}


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def offenders(of, importing, but=()):
    """`module -> import` for all modules that `of` picks and imports that `importing` picks."""
    return [
        f"{module} -> {name}"
        for module, names in IMPORTS.items()
        if of(module) and module not in but
        for name in sorted(names)
        if importing(name)
    ]


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository, committed or about to be; what git ignores is left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_setup_cfg_lists_every_package():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = parser["options"]["packages"].split()
    there = {module_of(init) for folder in FOLDERS for init in (ROOT / folder).rglob("__init__.py")}
    assert sorted(listed) == sorted(there)
    assert len(listed) == len(set(listed))
    folders = {path.parent for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders), "a folder with modules and no __init__.py"


def test_the_reader_of_imports_sees_all_forms(tmp_path):
    path = tmp_path / "file.py"
    path.write_text("import a.b\ndef f():\n    from c import d\n    from . import e\n    from ..g import h\n")
    assert imports("x.y.file", path) == {"a.b", "c", "c.d", "x.y", "x.y.e", "x.g", "x.g.h"}


def names_of(module: str) -> set[str]:
    """What a module has at its top: what it defines, assigns and imports, and the modules inside it."""
    found = {name.removeprefix(module + ".").partition(".")[0] for name in SOURCES if name.startswith(module + ".")}
    for node in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_whatever_is_imported_from_the_house_is_there():
    """Imports inside commands break when the command is typed, and not before."""
    absent = []
    for module, path in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in SOURCES and not node.level:
                there = names_of(node.module)
                absent += [f"{module}: {node.module}.{alias.name}" for alias in node.names if alias.name not in there]
    assert not absent


def test_only_the_command_line_imports_the_command_line():
    assert not offenders(lambda m: not within(m, "medtf.cli", "medtf.__main__"), lambda name: within(name, "medtf.cli"))


def test_models_and_data_do_not_know_each_other():
    models, data = ("medtf.models",), ("medtf.data", "medtf.pipelines")
    assert not offenders(lambda m: within(m, *models), lambda name: within(name, *data))
    assert not offenders(lambda m: within(m, *data), lambda name: within(name, *models))


def test_table_and_config_stand_below_everything():
    for module in ("medtf.config", "medtf.table", "medtf.errors", "medtf.salt"):
        allowed = CONFIG_MAY.get(module, set())
        wrong = {
            name for name in IMPORTS.get(module, set()) if within(name, *ABOVE_TABLE) and not within(name, *allowed)
        }
        assert not {name for name in wrong if not any(a.startswith(name + ".") for a in allowed)}, module


def test_models_augment_and_data_stand_below_training():
    lower = ("medtf.models", "medtf.augment", "medtf.data", "medtf.pipelines")
    upper = ("medtf.train", "medtf.fitting", "medtf.evaluate", "medtf.explain", "medtf.track")
    assert not offenders(lambda m: within(m, *lower), lambda name: within(name, *upper))


def test_pipelines_hold_no_models_and_no_losses():
    allowed = (
        "medtf.data",
        "medtf.table",
        "medtf.split",
        "medtf.errors",
        "medtf.config",
        "medtf.salt",
        "medtf.pipelines",
    )

    def forbidden(name):
        return within(name, "medtf") and name != "medtf" and not within(name, *allowed)

    assert not offenders(lambda m: within(m, "medtf.pipelines"), forbidden)


def test_wandb_is_imported_in_one_place():
    assert not offenders(lambda m: not within(m, "medtf.track"), lambda name: within(name, "wandb"))


def test_tensorflow_is_imported_where_data_are_read():
    assert not offenders(lambda m: not within(m, "medtf.data"), lambda name: within(name, "tensorflow"), but=TENSORFLOW)


def test_evaluation_runs_without_tensorflow_and_keras():
    assert not offenders(lambda m: within(m, "medtf.evaluate"), lambda name: within(name, "tensorflow", "keras"))


def test_statistics_know_numbers_alone_and_judgement_knows_no_page():
    """statistics <- what is judged <- figures <- pages."""
    inside = "medtf.evaluate"

    def others(*allowed):
        return lambda name: within(name, inside) and name != inside and not within(name, *allowed)

    statistics, draw, pages = (f"{inside}.{part}" for part in ("statistics", "draw", "pages"))
    assert not offenders(lambda m: within(m, statistics), others(statistics))
    assert not offenders(lambda m: within(m, draw), lambda name: within(name, pages))
    core = [m for m in SOURCES if within(m, inside) and not within(m, statistics, draw, pages)]
    assert len(core) > 10
    assert not offenders(lambda m: m in core, lambda name: within(name, draw, pages))


@pytest.mark.parametrize("module", [m for m in SOURCES if within(m, "medtf.pipelines") and m != "medtf.pipelines"])
def test_a_pipeline_is_thin_and_says_what_it_reads(module):
    text = SOURCES[module].read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 150
    assert ast.get_docstring(tree), "expected a docstring: source, licence, size, what a label means"
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    imported = {alias.asname or alias.name for n in tree.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    assert {"examples", "dataset"} <= functions | imported


@pytest.mark.parametrize("name", config.shipped())
def test_a_shipped_config_loads_and_promises_something(name):
    loaded = config.load(name)
    assert loaded == config.parse(config.yaml.safe_load(config.dump(loaded)))
    assert loaded.targets or loaded.pretrain, "expected targets, or a task"
    header = []
    for line in (ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        header.append(line)
    text = "\n".join(header).lower()
    for what, pattern in {
        "the data": r"\bdata\b|\barchive\b|\bimages\b",
        "cost or time": r"\bcost|\btime\b|\bminutes?\b|\bhours?\b|\bseconds?\b",
        "the result to expect": r"\bexpect",
    }.items():
        assert re.search(pattern, text), f"configs/{name}.yaml: its header names {what} nowhere"


@pytest.mark.parametrize("module", [m for m in SOURCES if not within(m, "medtf.pipelines", "medtf.configs")])
def test_a_file_is_one_idea(module):
    assert len(SOURCES[module].read_text(encoding="utf-8").splitlines()) <= 300


def test_nothing_is_validated_with_assert():
    """`python -O` drops asserts: they are for tests alone."""
    paths = [*SOURCES.values(), *(ROOT / "tools").rglob("*.py"), ROOT / "tools" / "demo", ROOT / "tools" / "test"]
    asserts = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert not asserts


def test_no_file_names_a_folder_of_one_machine():
    folders = "|".join(("work", "root", "home", "Users"))
    machine = re.compile(r"(?<![\w.})/~-])/(?:" + folders + ")/")
    assert machine.search("x = '/" + "root/a'")
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # not text
        lines = enumerate(text.splitlines(), 1)
        found += [f"{path.relative_to(ROOT)}:{number}" for number, line in lines if machine.search(line)]
    assert not found


@pytest.mark.parametrize("command", ["tools/demo", "tools/test"])
def test_the_readmes_two_commands_can_be_run(command):
    assert os.access(ROOT / command, os.X_OK)
    assert (ROOT / command).read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_stamp_of_the_environment_follows_the_requirements(monkeypatch, tmp_path):
    """A second run installs nothing; a changed requirement, Python or extra installs again."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    import _environment

    ran = []
    monkeypatch.setattr(_environment, "_do", lambda command, environment: ran.append(command))
    monkeypatch.setattr(_environment, "VENV", tmp_path)
    monkeypatch.setattr(_environment, "STAMP", tmp_path / "stamp.json")
    monkeypatch.setattr(_environment, "PYTHON", tmp_path / "python")
    (tmp_path / "python").touch()

    def installs(extra):
        ran.clear()
        _environment.install(extra, {})
        return [command[-1] for command in ran]

    assert installs("") == [str(tmp_path), "."]
    assert installs("") == []
    assert installs("dev") == [".[dev]"]
    assert installs("") == []  # what is there is more than enough
    monkeypatch.setattr(_environment, "_requirements", lambda: "changed")
    assert installs("") == [".[dev]"]
    monkeypatch.setattr(_environment.platform, "python_version", lambda: "3.11.99")
    assert installs("dev") == [str(tmp_path), ".[dev]"]


def test_an_install_that_broke_off_is_made_again(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "tools")
    import _environment

    monkeypatch.setattr(_environment, "VENV", tmp_path)
    monkeypatch.setattr(_environment, "STAMP", tmp_path / "stamp.json")
    monkeypatch.setattr(_environment, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(_environment.subprocess, "call", lambda *args, **kwargs: 1)
    with pytest.raises(SystemExit, match="failed with 1"):
        _environment.install("", {})
    assert not (tmp_path / "stamp.json").exists()


def test_every_file_of_a_run_stays_in_the_checkout(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "tools")
    import _environment

    monkeypatch.setattr(_environment, "CACHE", tmp_path)
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    environment = _environment.contained(str(tmp_path / "tmp"))
    keys = "PIP_CACHE_DIR KERAS_HOME MPLCONFIGDIR XDG_CACHE_HOME XDG_CONFIG_HOME MEDTF_HOME WANDB_DIR TMPDIR"
    for key in keys.split():
        assert Path(environment[key]).is_relative_to(tmp_path), key
    assert "PYTHONPATH" not in environment
