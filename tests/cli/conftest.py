"""One small phantom, one table and one trained run for all tests of the command line."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from commands import medtf

from medtf.cli import cli, main

SMALL = {
    "pipeline": "rsna_ich",
    "targets": {"any": "binary", "subdural": "binary"},
    "data": {"undersample": "each_epoch", "split": {"valid": 0.2, "test": 0.2}},
    "input": {"size": 32, "windows": ["brain", "subdural", "soft"]},
    "model": {"name": "mobilenet", "weights": "none"},
    "train": {"epochs": 1, "batch_size": 8, "checkpoint_minutes": 0.0001},
    "evaluate": {"replicates": 50},
}


@pytest.fixture(scope="session")
def phantom(tmp_path_factory) -> Path:
    from medtf.data.phantom import ct

    folder = tmp_path_factory.mktemp("cli") / "ct"
    ct.write(folder, patients=12, slices=6, matrix=64, jobs=1)
    return folder


@pytest.fixture(scope="session")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cli_config") / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="session")
def table(phantom, tmp_path_factory) -> Path:
    """With hashed pixels, without folds."""
    path = tmp_path_factory.mktemp("cli_table") / "t.parquet"
    done = medtf("index", "rsna_ich", phantom, "-o", path, "--pixels")
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="session")
def trained(phantom, config, table, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("cli_run") / "run"
    words = ("fit", config, "--data", phantom, "--run", run, "--set", f"data.table={table}")
    cli.main([str(word) for word in words], standalone_mode=False)  # in this process: TensorFlow is imported once
    return run


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy of the trained run, to be broken."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB, where this machine lets the tests mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def read_only(small_disk):
    """A disk that cannot be written to, not even by root."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    return small_disk


@pytest.fixture
def typed(capfd, monkeypatch):
    """A command through main() in this process: as `medtf`, without the seconds that importing TensorFlow takes."""

    def run(*words) -> subprocess.CompletedProcess:
        monkeypatch.setattr(sys, "argv", ["medtf", *map(str, words)])
        before = signal.getsignal(signal.SIGTERM)
        capfd.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, before)
        out, errors = capfd.readouterr()
        return subprocess.CompletedProcess(words, ended.value.code, out, errors)

    return run
