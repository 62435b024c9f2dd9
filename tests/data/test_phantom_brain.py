"""The synthetic brain: volumes are what they should be on every grid, anatomy follows age and sex as stated."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest

from medtf.data.phantom import brain, brain_anatomy, brain_vessels, mri_scan
from medtf.data.phantom.brain_space import Grid


@pytest.fixture(scope="module")
def people():
    return [brain.draw(np.random.default_rng(number)) for number in range(3000)]


@pytest.mark.parametrize("number", [0, 1, 3])  # one of each site
def test_volumes_on_every_sites_grid_are_the_truths(number):
    visit = mri_scan.draw_visit(3, number)
    truth = mri_scan.truth(visit)
    shape, affine = mri_scan.scanner_grid(visit, "T1", 2.0)
    tissue = brain_anatomy.tissues(visit.person, visit.build, mri_scan.head_grid(visit, "T1", shape, affine))
    ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    assert tissue.mask.sum() * ml == pytest.approx(visit.person.intracranial_ml, rel=0.01)
    assert tissue.mask.sum() * ml == pytest.approx(truth["intracranial_ml"], rel=0.01)
    assert (tissue.mask - tissue.csf).sum() * ml == pytest.approx(truth["brain_ml"], rel=0.03)
    assert tissue.ventricle.sum() * ml == pytest.approx(truth["ventricle_ml"], rel=0.05)
    assert sum(visit.person.lateral_ml) < truth["ventricle_ml"] < sum(visit.person.lateral_ml) + 6
    assert (tissue.grey + tissue.csf <= tissue.mask + 1e-5).all()


@pytest.mark.parametrize("number", [0, 1, 3])
def test_left_is_left_in_every_orientation(number):
    visit = mri_scan.draw_visit(3, number)
    visit.person = replace(visit.person, lateral_ml=(45.0, 5.0))
    visit.build = brain_anatomy.fit(visit.person)
    shape, affine = mri_scan.scanner_grid(visit, "T1", 3.0)
    values, mask = mri_scan.render(visit, "T1", shape, affine)
    dark = (values < 0.45 * visit.site.level) & (mask > 0)
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(dark.astype(np.float32), affine))
    x, y, z = (image.affine @ np.append(np.indices(image.shape).reshape(3, -1), np.ones((1, dark.size)), 0))[:3]
    deep = (
        (np.abs(x) > 5)
        & (np.abs(x) < 28)
        & (np.abs(y + 10) < 40)
        & (z > 2)
        & (z < 35)
        & (image.get_fdata().ravel() > 0)
    )
    assert (deep & (x < 0)).sum() > 2.5 * (deep & (x > 0)).sum()


def test_anatomy_follows_age_with_noise(people):
    age = np.array([p.age for p in people])

    def r(values):
        return np.corrcoef(values, age)[0, 1]

    assert age.min() >= 20
    assert age.max() <= 86
    assert age.std() == pytest.approx(66 / 12**0.5, rel=0.03)
    features = [np.log([sum(p.lateral_ml) / p.intracranial_ml for p in people])]
    features += [[p.sulci for p in people], [p.cortex_mm for p in people]]
    assert r(features[0]) == pytest.approx(19.05 / np.hypot(19.05, np.hypot(11, 3.4)), abs=0.02)
    assert r(features[2]) < -0.85

    def best(columns):  # least squares: what an ideal reader of these numbers reaches
        design = np.stack([*map(np.asarray, columns), np.ones(len(age))], axis=1)
        return r(design @ np.linalg.lstsq(design, age, rcond=None)[0])

    vessels = best([[p.calibre for p in people], [p.branches for p in people]])
    assert 0.93 < best(features) < 0.97
    assert 0.82 < vessels < 0.87


def test_head_size_follows_sex_as_published(people):
    """Ruigrok 2014, table 3: 12 % in intracranial volume; the sexes overlap."""
    size = {f: np.array([p.intracranial_ml for p in people if p.female == f]) for f in (True, False)}
    women, men = size[True], size[False]
    assert men.mean() / women.mean() == pytest.approx(1.12, abs=0.015)
    assert 1.25 < (men.mean() - women.mean()) / np.sqrt((men.var() + women.var()) / 2) < 1.6
    matched = [p for p in people if 1380 < p.intracranial_ml < 1480]  # the cue that survives matching on head size
    wide = {f: np.log([p.widen for p in matched if p.female == f]) for f in (True, False)}
    assert wide[True].mean() - wide[False].mean() == pytest.approx(1.3 * 0.035, abs=0.01)


def test_arteries_keep_their_volume_on_any_grid():
    visit = mri_scan.draw_visit(0, 0)
    places, volumes = brain_vessels.points_of(visit.person, visit.build)
    assert 2000 < volumes.sum() < 20000  # mm3
    for spacing in (1.5, 3.0):
        affine = np.diag([spacing] * 3 + [1.0])
        affine[:3, 3] = -120
        share = brain_vessels.share(Grid((int(240 / spacing),) * 3, affine), places, volumes)
        assert share.sum(dtype=float) * spacing**3 == pytest.approx(volumes.sum(), rel=0.05)  # less where tubes meet
    thin = replace(visit.person, calibre=visit.person.calibre / 2)
    assert brain_vessels.points_of(thin, visit.build)[1].sum() == pytest.approx(volumes.sum() / 4, rel=0.01)


def test_skull_surrounds_the_same_brain():
    visit = mri_scan.draw_visit(3, 0)
    shape, affine = mri_scan.scanner_grid(visit, "T1", 4.0)
    bare, mask = mri_scan.render(visit, "T1", shape, affine)
    whole, same = mri_scan.render(visit, "T1", shape, affine, skull=True)
    assert (mask == same).all()
    assert (bare[mask == 0] == 0).all()
    deep = bare > 0.8 * visit.site.level
    assert np.median(whole[deep]) == pytest.approx(np.median(bare[deep]), rel=0.03)
    assert (whole[mask == 0] > 0.4 * visit.site.level).sum() > 0.3 * mask.sum()  # scalp, face, neck
