"""`medtf doctor`: each lack is named with its remedy, and nothing secret is printed."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from medtf import doctor
from medtf.cli.doctor import command
from medtf.doctor import Fact
from medtf.errors import MedtfError
from medtf.quiet import quiet


def by_name(facts):
    return {fact.name: fact for fact in facts}


def test_a_dependency_that_is_missing_or_too_old_is_named(monkeypatch):
    required = ["alpha>=1.2", "beta>=3.0.1", "gamma>=2", 'delta>=0.5; extra == "jax"', 'medtf[jax]; extra == "dev"']
    there = {"beta": "3.0", "gamma": "2.0rc1+local", "delta": None}
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: required)
    monkeypatch.setattr(doctor, "_version", there.get)
    facts = by_name(doctor.versions())
    assert facts["alpha"].missing == "alpha: pip install 'alpha>=1.2'"
    assert facts["beta"].missing == "beta 3.0.1 or newer: pip install 'beta>=3.0.1'"
    assert not facts["gamma"].missing
    assert not facts["delta"].missing, "an extra is not needed"
    assert "medtf[jax]" in facts["delta"].value


@pytest.mark.parametrize(
    ("newer", "older"),
    [("3.10", "3.9"), ("3.0.1", "3"), ("3.0.24.1", "3.0.24"), ("2025.1.0", "2024.12.1"), ("1.31.1+cu12", "1.31")],
)
def test_versions_are_compared_as_numbers(newer, older):
    assert doctor._numbers(newer) > doctor._numbers(older)


def test_equal_versions_are_equal():
    assert doctor._numbers("8.2") == doctor._numbers("8.2.0")


def test_every_requirement_of_setup_cfg_is_read():
    runtime = [text for text in doctor.metadata.requires("medtf") if "extra" not in text]
    assert [text for text in runtime if not doctor._REQUIREMENT.match(text)] == []
    assert {"tensorflow", "keras", "pydicom", "wandb"} <= set(by_name(doctor.versions()))


def test_a_syntax_without_decoder_is_named(monkeypatch):
    import pydicom.pixels

    class Decoder:
        def __init__(self, uid):
            self.UID = pydicom.uid.UID(uid)
            self.is_available = uid not in ("1.2.840.10008.1.2.4.81", *doctor.DECODERS["HTJ2K"][0])
            self.available_plugins = ("one", "two") if self.is_available else ()

    monkeypatch.setattr(pydicom.pixels, "get_decoder", Decoder)
    facts = by_name(doctor.decoders())
    assert facts["HTJ2K"] == Fact("HTJ2K", "none", "HTJ2K decoder: pip install pylibjpeg pylibjpeg-openjpeg")
    assert facts["JPEG-LS"].value == "none for JPEG-LS Lossy (Near-Lossless) Image Compression"
    assert facts["JPEG-LS"].missing == "JPEG-LS decoder: pip install pyjpegls"
    assert facts["RLE"] == Fact("RLE", "one, two")


def test_all_families_of_transfer_syntaxes_are_looked_at():
    families = ["uncompressed", "deflated", "JPEG baseline, extended", "JPEG lossless", "JPEG-LS", "JPEG 2000", "HTJ2K"]
    assert [fact.name for fact in doctor.decoders()] == [*families, "RLE"]
    assert not by_name(doctor.decoders())["uncompressed"].missing


def test_the_key_of_wandb_is_noticed_and_not_shown(monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert by_name(doctor.wandb_state())["login"].value == "not logged in (not needed offline)"
    (tmp_path / "netrc").write_text("machine api.wandb.ai.example\n  login user\n  password very-secret\n")
    assert by_name(doctor.wandb_state())["login"].value == "not logged in (not needed offline)"
    (tmp_path / "netrc").write_text("machine api.wandb.ai\n  login user\n  password very-secret\n")
    facts = doctor.wandb_state()
    assert by_name(facts)["login"].value == "a key for api.wandb.ai is here"
    assert "very-secret" not in str(facts)
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.hospital.example/")
    monkeypatch.setenv("WANDB_API_KEY", "very-secret")
    facts = doctor.wandb_state()
    assert by_name(facts)["login"].value == "a key for wandb.hospital.example is here"
    assert by_name(facts)["mode"].value == "offline"
    assert "very-secret" not in str(facts)


def test_where_the_salt_comes_from(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDTF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MEDTF_SALT", raising=False)
    assert by_name(doctor.storage(tmp_path))["key"].value.endswith("(will be made at first use)")
    assert not (tmp_path / "home").exists(), "an examination makes nothing"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "salt").write_text("very-secret")
    assert by_name(doctor.storage(tmp_path))["key"].value == str(tmp_path / "home" / "salt")
    monkeypatch.setenv("MEDTF_SALT", "very-secret")
    assert by_name(doctor.storage(tmp_path))["key"].value == "from MEDTF_SALT"


def test_a_full_disk_and_a_folder_of_others_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: _Usage)

    def refuse(**kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    facts = by_name(doctor.storage(tmp_path))
    assert "a run needs about 1 GiB" in facts["free disk"].missing
    assert "Permission denied" in facts["writing"].missing


class _Usage:
    free = 2**29


def test_a_broken_tensorflow_is_named_and_the_rest_still_told(monkeypatch):
    def broken():
        raise ImportError("libcuda is of another age\nand more")

    monkeypatch.setattr(doctor, "_engine", broken)
    facts = by_name(doctor.devices())
    assert "CPU" in facts
    assert facts["engine"].missing == (
        "TensorFlow and Keras cannot be imported (ImportError: libcuda is of another age)"
    )


def test_the_command_says_all_is_here_or_what_is_missing(monkeypatch):
    facts = {"decoders": [Fact("RLE", "pydicom")]}
    monkeypatch.setattr(doctor, "examine", lambda: facts)
    answer = CliRunner().invoke(command)
    assert answer.exit_code == 0
    assert answer.output == "decoders: RLE: pydicom\nEverything needed is here.\n"
    facts["decoders"].append(Fact("HTJ2K", "none", "HTJ2K decoder: pip install it"))
    answer = CliRunner().invoke(command)
    assert isinstance(answer.exception, MedtfError)
    assert str(answer.exception) == "missing: HTJ2K decoder: pip install it"
    assert "decoders: HTJ2K: none (MISSING)" in answer.output


def test_the_whole_command_in_a_process_of_its_own(tmp_path):
    environment = {**os.environ, "MEDTF_HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")}
    called = [sys.executable, "-m", "medtf", "doctor"]
    answer = subprocess.run(called, capture_output=True, text=True, timeout=300, check=False, env=environment)
    lacking = [line for line in answer.stdout.splitlines() if line.endswith("(MISSING)")]
    assert answer.returncode == (1 if lacking else 0), answer.stderr
    for section in ("versions: tensorflow: 2.", "devices: CPU: ", "precision: why: ", "decoders: RLE: ", "W&B: mode: "):
        assert section in answer.stdout
    lines = [line for line in answer.stderr.splitlines() if not line.startswith("medtf: missing: ")]
    assert lines == [], "TensorFlow's greeting is kept off the terminal"
    assert ("medtf: missing: " in answer.stderr) == bool(lacking)
    assert list(tmp_path.iterdir()) == []


def test_quiet_lets_through_what_is_no_chatter(capfd):
    with quiet():
        os.write(2, b"I0000 00:00:1.5 1 port.cc:153] oneDNN custom operations are on.\n")
        os.write(2, b"W0000 00:00:1.5 1 x.cc:1] a warning\n")
    assert capfd.readouterr().err == "W0000 00:00:1.5 1 x.cc:1] a warning\n"


def test_quiet_shows_what_was_written_before_an_error(capfd):
    @quiet()
    def fails():
        os.write(2, b"the reason\n")
        raise ImportError("broken")

    with pytest.raises(ImportError, match="broken"):
        fails()
    assert capfd.readouterr().err == "the reason\n"
