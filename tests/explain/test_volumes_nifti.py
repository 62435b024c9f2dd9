"""Heat maps on the grid of their files: where a voxel of the network's lies in the world, whatever way the file lies."""

import factory
import nibabel
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from medtf import config as configs
from medtf import pipeline
from medtf.data import placing
from medtf.data.pixels import Rows
from medtf.errors import AskedWronglyError
from medtf.explain.runs import nifti_maps
from medtf.explain.runs.cases import cases
from medtf.explain.runs.subject import Subject

SHAPE = (40, 34, 28)
TURN = np.linalg.qr(np.array([[1, 0.12, -0.2], [-0.1, 1, 0.15], [0.2, -0.1, 1]]))[0]


def affine(columns, zooms=(1.5, 2.0, 2.5), turned=False, origin=(31.0, -20.0, 12.5)):
    """Voxel -> mm of a file whose axes run along `columns` of the world, such as -1, -2, 3 for LPS."""
    made = np.diag([0.0, 0.0, 0.0, 1.0])
    for axis, (column, zoom) in enumerate(zip(columns, zooms, strict=True)):
        made[abs(column) - 1, axis] = np.sign(column) * zoom
    made[:3, :3] = (TURN * np.sign(np.diag(TURN)) if turned else np.eye(3)) @ made[:3, :3]
    made[:3, 3] = origin
    return made


GRIDS = {
    "1 RAS": affine((1, 2, 3)),
    "2 LPS": affine((-1, -2, 3)),
    "3 PSR, oblique": affine((-2, 3, 1), turned=True),
    "4 oblique and anisotropic": affine((-1, 2, -3), (1.7, 1.7, 4.0), turned=True),
}
WAYS = {
    "coarser": {"size": 16, "spacing_mm": 4, "pad": True},
    "finer": {"size": 64, "spacing_mm": 1.4, "pad": True},
    "padded": {"size": [48, 48, 48], "pad": True},
    "patches": {"size": 16, "spacing_mm": 3, "pad": True, "patches": {"patches_per_volume": 2}},
}


def subject_of(folder, **how) -> Subject:
    """The volumes of a folder as a subject without a network."""
    raw = {"pipeline": "table", "targets": {"age": "regression"}, "model": {"name": "cnn3d"}, "input": how}
    config = configs.parse(raw | {"train": {"batch_size": 2}})
    files = sorted(path.name for path in folder.glob("*.nii*"))
    sheet = pd.DataFrame({"path": files, "patient": files, "age": np.arange(len(files)) + 50.0})
    (folder / "sheet.csv").write_text(sheet.to_csv(index=False))
    table = pipeline.find("table").examples(folder / "sheet.csv", config)
    table = table.with_frame(table.frame.assign(row=np.arange(len(table)) + 7).reset_index(drop=True))
    return Subject(None, config, None, folder, table, None)


def subject_in_every_grid(folder, values, **how) -> Subject:
    """The same voxels in files of every orientation, in the order of GRIDS."""
    for name, grid in GRIDS.items():
        factory.nifti(folder / f"{name}.nii.gz", values, affine=grid)
    subject = subject_of(folder, **how)
    assert subject.table.frame["path"].tolist() == [f"{name}.nii.gz" for name in GRIDS]
    return subject


def smooth(shape=SHAPE, seed=0):
    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 4)
    return np.round(1000 * (values - values.min()) / np.ptp(values)).astype(np.int16)


def as_heat(image):
    """The network's own input as its heat: between 0 and 1, 0 where it was shown nothing."""
    low, high = np.nanmin(image), np.nanmax(image)
    return np.nan_to_num((image[..., 0] - low) / (high - low), nan=0.0)


def shown(grid, size, spacing_mm):
    """Bool (*SHAPE): voxels of the file that lie well inside the block of `size` about the middle, by their distances in mm along its axes."""
    zooms = np.linalg.norm(grid[:3, :3], axis=0)
    of_world = np.abs(grid[:3, :3] / zooms).argmax(axis=0)  # file's axis -> the world's
    size = np.broadcast_to(size, 3)
    inside = np.ones(SHAPE, bool)
    for axis, world in enumerate(of_world):
        step = spacing_mm or zooms[axis]
        away = np.abs(np.arange(SHAPE[axis]) - (SHAPE[axis] - 1) / 2) * zooms[axis]
        within = away < (size[world] / 2 - 1) * step
        inside &= within.reshape([-1 if i == axis else 1 for i in range(3)])
    return inside


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
def test_the_input_written_back_is_the_image(tmp_path, how):
    subject = subject_in_every_grid(tmp_path, smooth(), **how)
    for case, (name, grid) in zip(cases(subject), GRIDS.items(), strict=True):
        path = nifti_maps.write_nifti(subject, case, as_heat(case.image), tmp_path / "maps" / f"{name}.nii.gz")
        image, made = nibabel.load(tmp_path / f"{name}.nii.gz"), nibabel.load(path)
        assert made.shape == image.shape
        np.testing.assert_array_equal(made.affine, image.affine)
        assert made.get_data_dtype() == np.float32
        heat = np.asarray(made.dataobj)
        assert heat.min() >= 0
        assert heat.max() <= 1
        there = np.ones(SHAPE, bool) if "patches" in how else shown(grid, how["size"], how.get("spacing_mm"))
        assert there.mean() > 0.05
        assert np.corrcoef(heat[there], smooth()[there])[0, 1] > 0.99, name
    assert not list((tmp_path / "maps").glob(".*"))


def test_a_cropped_volume_is_0_where_the_network_saw_nothing(tmp_path):
    subject = subject_in_every_grid(tmp_path, smooth(), size=12, spacing_mm=3, pad=True)
    for case, (name, grid) in zip(cases(subject), GRIDS.items(), strict=True):
        seen = np.isfinite(case.image[..., 0]).astype(float)
        heat = nibabel.load(nifti_maps.write_nifti(subject, case, seen, tmp_path / "m.nii.gz")).get_fdata()
        np.testing.assert_allclose(heat[shown(grid, 12, 3)], 1, atol=1e-6, err_msg=name)
        assert heat[~shown(grid, 16, 3)].max() < 1e-6


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_a_map_that_tells_its_place_in_mm_tells_it_in_the_file(tmp_path, grid, how):
    """Each coordinate of the world as a map: linear interpolation keeps what is linear, between the outermost centres."""
    factory.nifti(tmp_path / "v.nii", smooth(), affine=grid)
    subject = subject_of(tmp_path, **how)
    row = Rows(subject.table.frame)[0]
    shape, of_network = placing.network_affine(row, subject.config)
    index = np.stack(np.indices(shape), axis=-1) @ of_network[:3, :3].T + of_network[:3, 3]
    world = np.stack(np.indices(SHAPE), axis=-1) @ grid[:3, :3].T + grid[:3, 3]
    inside = shown(grid, 1000, None)
    at = (world - of_network[:3, 3]) @ np.linalg.inv(of_network[:3, :3]).T
    inside &= ((at > 1) & (at < np.array(shape) - 2)).all(axis=-1)
    assert inside.mean() > 0.1
    for axis in range(3):
        made = nifti_maps.on_file(index[..., axis], row, subject.config)
        np.testing.assert_allclose(made[inside], world[inside][:, axis], atol=1e-4)


def test_a_bright_block_stays_at_its_place_in_the_world(tmp_path):
    values = np.zeros(SHAPE, np.int16)
    block = np.s_[8:18, 20:29, 9:15]
    values[block] = 900
    subject = subject_in_every_grid(tmp_path, values, size=64, spacing_mm=3, pad=True, normalise="minmax")
    for case, grid in zip(cases(subject), GRIDS.values(), strict=True):
        made = nibabel.load(nifti_maps.write_nifti(subject, case, case.image[..., 0], tmp_path / "m.nii.gz"))
        heat = made.get_fdata()
        found = made.affine[:3] @ [*np.average(np.argwhere(heat > 0), axis=0, weights=heat[heat > 0]), 1]
        planted = grid[:3] @ [*[(one.start + one.stop - 1) / 2 for one in block], 1]
        assert np.abs((found - planted) @ np.linalg.inv(grid[:3, :3]).T).max() < 0.5  # voxels of the file
        assert heat[block].mean() > 5 * heat.mean()


def test_nobodys_name_goes_from_the_header_into_the_map(tmp_path):
    factory.nifti(
        tmp_path / "v.nii",
        np.stack([smooth()] * 3, axis=-1),
        affine=GRIDS["2 LPS"],
        big_endian=True,
        extension=b"\0\0\0\x20\0\0\0\x06Doe^John" + bytes(16),
    )
    data = bytearray((tmp_path / "v.nii").read_bytes())
    data[148:156] = b"Doe^John"  # descrip
    data[228:236] = b"Doe^John"  # aux_file
    data[4:12] = b"Doe^John"  # data_type
    (tmp_path / "v.nii").write_bytes(data)
    subject = subject_of(tmp_path, size=16, volume=1, pad=True)
    (case,) = cases(subject)
    path = nifti_maps.write_nifti(subject, case, as_heat(case.image), tmp_path / "m.nii")
    assert b"Doe" not in path.read_bytes()
    made, image = nibabel.load(path), nibabel.load(tmp_path / "v.nii")
    assert made.shape == image.shape[:3]  # one map of a 4D file
    np.testing.assert_array_equal(made.affine, image.affine)
    assert b"research use only" in made.header["descrip"].item()


def test_qform_and_sform_are_the_files_own(tmp_path):
    """A sform that differs from the qform (a template's), both are kept; and a file that says no place still has none."""
    there, names = affine((-1, -2, 3)), ("a1.nii.gz", "a2.nii.gz", "b1.nii.gz", "b2.nii.gz")
    told = {"a": {"sform_code": 4, "qform_code": 1, "quatern": (0.0, 0.0, 1.0), "qoffset": (4.0, 5.0, 6.0)}}
    for name in names:
        forms = told.get(name[0], {"sform_code": 0})
        pixdim = [1, 1.5, 2, 2.5, 1, 1, 1, 1]
        factory.nifti(tmp_path / name, smooth(), affine=there, version=int(name[1]), pixdim=pixdim, **forms)
    subject = subject_of(tmp_path, size=16, spacing_mm=4, pad=True)
    for case, name in zip(cases(subject), names, strict=True):
        made = nibabel.load(nifti_maps.write_nifti(subject, case, as_heat(case.image), tmp_path / "maps" / name))
        image = nibabel.load(tmp_path / name)
        for form in ("get_qform", "get_sform"):
            (one, code), (other, other_code) = (getattr(x, form)(coded=True) for x in (image, made))
            assert code == other_code
            if code:
                np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(made.affine, image.affine)
        assert type(made) is type(image)


def test_equal_maps_make_equal_bytes_and_other_endings_are_refused(tmp_path):
    factory.nifti(tmp_path / "v.nii.gz", smooth(), affine=GRIDS["2 LPS"])
    subject = subject_of(tmp_path, size=16, pad=True)
    (case,) = cases(subject)
    paths = [nifti_maps.write_nifti(subject, case, as_heat(case.image), tmp_path / f"{name}.nii.gz") for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with pytest.raises(AskedWronglyError, match=r"m\.img: a heat map of a volume is written as \.nii\.gz or \.nii"):
        nifti_maps.write_nifti(subject, case, as_heat(case.image), tmp_path / "m.img")
    with pytest.raises(ValueError, match="network's grid of this volume has"):
        nifti_maps.write_nifti(subject, case, np.zeros((3, 3, 3)), tmp_path / "m.nii.gz")
    assert not (tmp_path / "m.nii.gz").exists()


@pytest.mark.parametrize("file", factory.real_files("mri/aging/t1", "mri/ixi")[::8])
def test_real_volumes_keep_their_grid(file, shared, tmp_path):
    if not file.endswith(".nii.gz"):
        pytest.skip("a sheet")
    image = nibabel.load(shared / file)
    (tmp_path / "v.nii.gz").symlink_to(shared / file)
    subject = subject_of(tmp_path, size=48, spacing_mm=4, pad=True)
    (case,) = cases(subject)
    made = nibabel.load(nifti_maps.write_nifti(subject, case, as_heat(case.image), tmp_path / "maps" / "m.nii.gz"))
    assert made.shape == image.shape
    np.testing.assert_array_equal(made.affine, image.affine)
    seen = nifti_maps.on_file(
        np.isfinite(case.image[..., 0]).astype(float), Rows(subject.table.frame)[0], subject.config
    )
    there = seen > 0.999
    assert np.corrcoef(made.get_fdata()[there], image.get_fdata()[there])[0, 1] > 0.9  # 4 mm blur what 1 and 2 mm show
