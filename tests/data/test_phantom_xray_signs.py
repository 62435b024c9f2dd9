"""What is painted on synthetic radiographs: rays through hollow bones, boxes around findings, and bone that tells osteoporosis."""

import math
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from medtf.data.phantom import bone, xray_canvas, xray_files, xray_film, xray_findings, xray_shoulder
from medtf.data.phantom.xray_body import draw_body, draw_picture
from medtf.data.phantom.xray_canvas import band_noise, canvas, chord, rod
from medtf.data.phantom.xray_chest import assemble, optical_depth
from medtf.data.phantom.xray_person import CHEST, SHOULDER, draw_person, rng_of

USUAL = bone.Quality(cortex=1.0, mineral=1.0, texture=1.0, spacing=1.0)


def chest_of(number, size=128, seed=0):
    person = draw_person(seed, CHEST, number)
    rng = rng_of(seed, CHEST, number, 2, 0)
    body = draw_body(seed, person)
    return assemble(rng, body, draw_picture(rng, body), size), rng


# ---------------------------------------------------------------- geometry and rays
def test_a_canvas_and_its_way_back_agree_whatever_the_pose():
    plane = canvas(64, 300, shift=(20, -10), degrees=12, scale=1.1, mirror=True)
    points = np.stack([plane.x[5, 40], plane.y[5, 40]]), np.stack([plane.x[60, 2], plane.y[60, 2]])
    assert plane.columns_rows(points) == pytest.approx(np.array([[40, 5], [2, 60]]), abs=1e-3)


def test_a_part_holds_the_coordinates_of_the_whole():
    plane = canvas(64, 300, degrees=8)
    part, box = plane.around([(10, -20), (30, 5)], 6)
    assert (part.x == plane.x[box]).all()
    assert part.columns_rows((10, -20)) == pytest.approx(plane.columns_rows((10, -20)) - [box[1].start, box[0].start])
    assert plane.around([(500, 0)], 5) is None


def test_the_ray_through_a_hollow_rod_is_longest_in_bone_at_the_inner_edge():
    """Radius 10, cortex 2: 4 mm through the middle; 2 sqrt(10^2 - 8^2) = 12 mm where the ray grazes the marrow."""
    plane = canvas(401, 40.1)  # a tenth of a millimetre a pixel
    bones = bone.Bones.none(plane, USUAL)
    bones.tube([(0, -60), (0, 60)], 10, 2)
    middle = bones.cortical[200]
    assert middle[200] == pytest.approx(4)
    assert middle[280] == pytest.approx(12)
    assert middle.argmax() in (120, 280)
    assert middle[99] == 0
    assert bones.trabecular[200, 200] == pytest.approx(16)


def test_a_ball_has_its_volume():
    plane = canvas(256, 60)
    square, radius = rod(plane, (3, 2), (3, 2), 20)
    assert chord(radius, square).sum() * plane.pixel**2 == pytest.approx(4 / 3 * math.pi * 20**3, rel=1e-3)


def test_mirrored_shoulders_are_each_other():
    person = draw_person(0, SHOULDER, 3, osteoporosis=0.4)
    shoulder = xray_shoulder.draw_shoulder(0, person)
    planes = []
    for side in "LR":
        pose = xray_shoulder.draw_pose(np.random.default_rng(5), "external", side)
        planes.append(xray_shoulder.place(shoulder, xray_shoulder.Pose(**(vars(pose) | {"degrees": 0.0})), 64))
    assert planes[0].x == pytest.approx(planes[1].x[:, ::-1], abs=1e-3)
    assert planes[0].columns_rows((60, 0))[0, 0] > planes[0].columns_rows((0, 0))[0, 0]  # a left arm is on the right


# ---------------------------------------------------------------- noise and film
def test_trabeculae_live_in_their_band():
    field = bone.trabeculae(np.random.default_rng(0), 256, USUAL, degrees=30.0)
    assert (field.mean(), field.std()) == (pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3))
    power = np.abs(np.fft.fft2(field)) ** 2
    along = np.fft.fftfreq(256, 1 / 256)
    mean = (power * np.hypot(along[:, None], along)).sum() / power.sum()
    assert mean == pytest.approx(bone.CYCLES, rel=0.06)


def test_band_noise_keeps_its_directions():
    waves = band_noise(np.random.default_rng(0), 128, cycles=20, width=0.2, degrees=(0.0,), lobe=0.2)
    across, down = np.diff(waves, axis=1).std(), np.diff(waves, axis=0).std()
    assert across > 3 * down


def test_noise_falls_with_the_square_root_of_the_photons():
    depth = np.full((128, 128), 1.0, np.float32)
    found = []
    for photons in (1.0, 4.0):
        exposure = xray_film.Exposure(photons, 0.0, 0.3, 0.0, 0.0, 1.0, 0.0, 0.0)
        found.append(xray_film.detect(np.random.default_rng(0), depth, exposure).std())
    assert found[0] / found[1] == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("bits", [8, 16])
def test_png_is_read_back_exactly(tmp_path, bits):
    image = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    xray_files.write_png(tmp_path / "a.png", image, bits=bits)
    assert (np.asarray(Image.open(tmp_path / "a.png")) == np.rint(image * (2**bits - 1))).all()


# ---------------------------------------------------------------- findings
@pytest.mark.parametrize("label", sorted(xray_findings.FINDINGS))
def test_a_finding_changes_its_box_and_little_else(label):
    """Whatever a finding adds or takes lies in its box, up to the soft edges that the box leaves out."""
    number = next(
        n for n in range(300) if (label == "Cardiomegaly") == draw_body(0, draw_person(0, CHEST, n)).cardiomegaly
    )
    chest, rng = chest_of(number)
    air, gas = chest.air.copy(), chest.gas.copy()
    column, row, columns, rows = xray_findings.FINDINGS[label][0](rng, chest)
    assert 0 <= column < column + columns <= 128
    assert 0 <= row < row + rows <= 128
    change = np.abs(chest.air - air) + np.abs(chest.gas - gas)
    inside = change[row : row + rows, column : column + columns].sum()
    if label == "Cardiomegaly":  # drawn with the body: wider than half of the chest's inside, as the definition has it
        inner = np.flatnonzero((chest.depth > 0)[row : row + rows].any(axis=0))
        assert columns > 0.5 * (inner[-1] - inner[0])
    else:
        assert inside > 0.75 * change.sum() > 0


def test_labels_are_there_only_with_a_box_that_can_be_seen():
    chest, rng = chest_of(4)
    chest.air[:] = 0  # nothing to replace
    for label, (paint, share) in xray_findings.FINDINGS.items():
        if share is not None:
            assert paint(rng, chest) is None, label


def test_a_pneumothorax_has_air_without_vessels():
    chest, rng = chest_of(2)
    xray_findings.pneumothorax(rng, chest)
    assert chest.gas.max() > 30
    assert (chest.gas <= chest.air + 1e-3).all()


def test_lungs_are_dark_and_the_heart_is_bright():
    chest, rng = chest_of(1)
    depth = optical_depth(rng, chest)
    lung = depth[(chest.depth > 25) & (chest.side > 60)].mean()
    heart = depth[(chest.side < 15) & (np.abs(chest.canvas.y - 40) < 20)].mean()
    assert lung < heart - 1


def test_the_heart_is_larger_in_ap():
    heart = []
    for scale in (1.0, 1.14):
        chest, _ = chest_of(1)
        chest.picture = type(chest.picture)(**(vars(chest.picture) | {"heart": scale}))
        heart.append(xray_findings.cardiomegaly(None, chest)[2])
    assert heart[1] / heart[0] == pytest.approx(1.14, rel=0.04)


# ---------------------------------------------------------------- bone
def test_signs_fall_with_the_t_score_and_stray():
    quality = {t: [bone.draw_quality(np.random.default_rng([n, 1]), t) for n in range(400)] for t in (-4, -2, 0)}
    for sign in ("cortex", "mineral", "texture"):
        means = [np.mean([getattr(q, sign) for q in quality[t]]) for t in (-4, -2, 0)]
        assert all(low < high for low, high in pairwise(means))
        assert max(getattr(q, sign) for q in quality[-4]) > min(getattr(q, sign) for q in quality[-2])
    assert np.mean([q.spacing for q in quality[-4]]) > np.mean([q.spacing for q in quality[0]])


def test_the_signs_together_tell_osteoporosis_well_and_never_surely():
    """What a perfect reader of the three signs could reach: an AUC of 0.90-0.95."""
    people = [draw_person(3, SHOULDER, n, osteoporosis=0.4) for n in range(2000)]
    quality = [xray_shoulder.draw_shoulder(3, person).quality for person in people]
    label = np.array([person.osteoporosis for person in people])
    texture, cortex, mineral = np.array(
        [[np.log(q.texture) / 0.6, (q.cortex - 1) / 0.16, (q.mineral - 1) / 0.08] for q in quality]
    ).T
    weights = 1 / np.array([bone.TEXTURE, bone.CORTEX, bone.MINERAL]) ** 2
    together = (weights[:, None] * [texture, cortex, mineral]).sum(axis=0)
    assert 0.90 < roc_auc_score(label, -together) < 0.95


@pytest.fixture(scope="module")
def shoulders():
    """(label, picture, mask of the head, mask of the deltoid muscle, radius) of 450 people at 128 pixels."""
    found = []
    for number in range(450):
        person = draw_person(11, SHOULDER, number, osteoporosis=0.4)
        rng, shoulder = rng_of(11, SHOULDER, number, 2, 0), xray_shoulder.draw_shoulder(11, person)
        pose = xray_shoulder.draw_pose(rng, "external", "LR"[number % 2])
        exposure, plane = xray_film.draw_exposure(rng), xray_shoulder.place(shoulder, pose, 128)
        image = xray_film.expose(rng, xray_shoulder.optical_depth(rng, shoulder, pose, plane), exposure)
        head = plane.x**2 + plane.y**2 < (0.75 * shoulder.head) ** 2
        muscle = (np.abs(plane.x - 34) < 6) & (np.abs(plane.y - 40) < 30) & (image > 0)
        found.append((person.osteoporosis, image, head, muscle, shoulder.head / plane.pixel))
    return found


def test_texture_of_the_head_tells_osteoporosis_at_half_size_too(shoulders):
    label, texture = [], []
    for osteoporosis, image, head, *_ in shoulders:
        band = ndimage.gaussian_filter(image, 0.75) - ndimage.gaussian_filter(image, 1.25)
        label.append(osteoporosis)
        texture.append(np.median(np.abs(band[head & (image < 0.995)])))
    assert roc_auc_score(label, -np.array(texture)) > 0.78


def test_brightness_contrast_noise_and_size_tell_nothing(shoulders):
    """0.5 +- 3.6 standard errors (0.028 with 180 against 270)."""
    label = [osteoporosis for osteoporosis, *_ in shoulders]
    nuisances = {
        "mean": lambda image, muscle, radius: image.mean(),
        "deviation": lambda image, muscle, radius: image.std(),
        "noise": lambda image, muscle, radius: (image - ndimage.gaussian_filter(image, 1))[muscle].std(),
        "black": lambda image, muscle, radius: (image == 0).mean(),
        "size": lambda image, muscle, radius: radius,
    }
    for name, measure in nuisances.items():
        area = roc_auc_score(label, [measure(image, muscle, radius) for _, image, _, muscle, radius in shoulders])
        assert 0.4 < area < 0.6, (name, area)


def test_the_length_of_a_shoulders_file_tells_nothing(shoulders):
    assert len({len(xray_files.png_bytes(image, bits=16)) for _, image, *_ in shoulders}) == 1


def test_wide_blur_keeps_a_flat_picture_flat():
    assert xray_canvas.wide_blur(np.full((96, 96), 3.0, np.float32), 0.08) == pytest.approx(3.0, rel=1e-5)
