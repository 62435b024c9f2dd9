"""A packed file: whole or not there, gone on with, checked, and refused where it is of something else."""

import json

import factory
import numpy as np
import pytest
from click.testing import CliRunner
from test_volumes import LPS, SHAPE, blocks, config, head, table_of

from medtf.cli.pack import command
from medtf.data import dataset, decoding, pack
from medtf.errors import AskedWronglyError, MedtfError


@pytest.fixture
def volumes(tmp_path):
    for n in range(4):
        factory.nifti(tmp_path / f"{n}.nii.gz", head(SHAPE, n), affine=LPS)
    return tmp_path, table_of(tmp_path, [f"{n}.nii.gz" for n in range(4)])


@pytest.fixture
def packed(volumes):
    root, found = volumes
    pack.write(found, root, config(), root / "v.pack")
    return root, found, root / "v.pack"


def test_a_pack_is_as_large_as_was_said_but_for_its_index(packed):
    root, found, path = packed
    said = decoding.size_of(found.frame, config(), pack.plan(found.frame, config()))
    assert said == 4 * 20 * 24 * 18 * 2
    assert said <= path.stat().st_size <= said + 10_000
    assert not list(root.glob("*.part*"))


def test_a_pack_that_was_killed_goes_on_with_what_it_has(volumes, monkeypatch):
    root, found = volumes
    whole = root / "whole.pack"
    pack.write(found, root, config(), whole)
    decoded = pack.decoded

    def killed(*args):
        for number, volume in decoded(*args):
            if number == 2:
                raise KeyboardInterrupt
            yield number, volume

    monkeypatch.setattr(pack, "decoded", killed)
    with pytest.raises(KeyboardInterrupt):
        pack.write(found, root, config(), root / "v.pack")
    assert not (root / "v.pack").exists()
    monkeypatch.setattr(pack, "decoded", decoded)
    journal = root / "v.pack.part.done"
    journal.write_text(journal.read_text() + '{"number": 2, "crc')  # a line that a kill has cut
    assert pack.write(found, root, config(), root / "v.pack")["resumed"] == 2
    assert (root / "v.pack").read_bytes() == whole.read_bytes()
    assert not list(root.glob("*.part*"))


def test_an_unfinished_pack_of_something_else_is_not_mixed_in(volumes, monkeypatch):
    root, found = volumes
    monkeypatch.setattr(pack, "decoded", lambda *_: iter(()))
    with pytest.raises(KeyError):  # nothing came: the index cannot be written
        pack.write(found, root, config(), root / "v.pack")
    with pytest.raises(MedtfError, match="unfinished pack of other volumes, or for another input: remove it"):
        pack.write(found, root, config(8, spacing_mm=3.0), root / "v.pack")


@pytest.mark.parametrize("kind", ["int16", "float16"])
def test_both_types_keep_the_values_as_near_as_they_say(volumes, kind):
    root, found = volumes
    pack.write(found, root, config(), root / "v.pack", kind=kind)
    files = blocks(dataset.make(found, root, config(), training=False))
    held = blocks(dataset.make(found, root, config(keep=str(root / "v.pack")), training=False))
    error = np.abs(files - held).max() / np.ptp(files)
    assert (
        error <= {"int16": 1 / 131_068 * 1.01, "float16": 2**-12}[kind]
    )  # half of the last of 11 bits, of half the range


def test_a_flipped_bit_is_found_and_names_the_volume(packed):
    root, found, path = packed
    index = pack.read_index(path)
    data = bytearray(path.read_bytes())
    data[index["offsets"][2] + 1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(MedtfError, match=r"v.pack: damaged: 2.nii.gz does not fit its checksum; pack again"):
        pack.check(path)
    stream = dataset.make(found, root, config(keep=str(path)), training=False)
    with pytest.raises(Exception, match=r"2.nii.gz does not fit its checksum"):
        list(stream)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-20], "damaged: its index does not fit its checksum"),
        (lambda data: b"x" * len(data), "not a pack of medtf, or one that was not finished"),
        (lambda data: data[:10], "not a pack of medtf, or one that was not finished"),
    ],
)
def test_a_broken_pack_is_refused(packed, change, said):
    root, found, path = packed
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(MedtfError, match=said):
        dataset.make(found, root, config(keep=str(path)), training=False)


def test_a_pack_of_other_volumes_or_settings_is_refused(packed):
    root, found, path = packed
    with pytest.raises(MedtfError, match=r"packed with input.spacing_mm None, the config says \[3.0, 3.0, 3.0\]"):
        dataset.make(found, root, config(8, keep=str(path), spacing_mm=3.0), training=False)
    factory.nifti(root / "new.nii.gz", head(SHAPE, 9), affine=LPS)
    more = table_of(root, ["0.nii.gz", "new.nii.gz"])
    with pytest.raises(MedtfError, match=r"does not hold new.nii.gz \(1 such volumes\): pack again"):
        dataset.make(more, root, config(keep=str(path)), training=False)
    with pytest.raises(AskedWronglyError, match="no such pack"):
        dataset.make(found, root, config(keep=str(root / "away.pack")), training=False)


def test_the_command_says_beforehand_what_it_takes_and_afterwards_how_to_use_it(volumes, tmp_path_factory):
    root, _ = volumes
    (root / "people.csv").write_text("path,patient,number\n" + "".join(f"{n}.nii.gz,P{n},{n}\n" for n in range(4)))
    out = tmp_path_factory.mktemp("out") / "v.pack"
    settings = root.parent / "c.yaml"
    settings.write_text(json.dumps(config().model_dump(mode="json")))
    done = CliRunner().invoke(command, [str(settings), str(out), "--data", str(root)])
    assert done.exit_code == 0, done.output
    assert "4 volumes as int16: 69.1 kB on disk" in done.output
    assert f"use it: --set input.keep={out}" in done.output
    done = CliRunner().invoke(command, [str(settings), str(out), "--check"])
    assert "4 volumes, each fits its checksum" in done.output
