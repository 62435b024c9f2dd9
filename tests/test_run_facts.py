"""What the report says of a network and its training, in words."""

import pandas as pd
import pytest
from reported import MODEL

from medtf import run_facts
from medtf.config import Augment, Target, parse


def config(**sections):
    return parse({"pipeline": "table", "targets": {"any": "binary"}, **sections})


def said(rows) -> dict:
    return dict(rows)


def test_a_network_with_its_counts_and_without():
    known = said(run_facts.network(config(), MODEL))
    assert known["Parameters"] == "21,785,568 that training changes"
    assert known["Layers"] == "315, of which 189 hold weights"
    assert known["Multiply-adds"] == "5,713 million for one example"
    assert "Szegedy 2016" in known["Name"]
    assert said(run_facts.network(config(), {}))["Parameters"].startswith("not recorded")


def test_windows_are_told_in_hounsfield_units():
    found = said(run_facts.seen(config(input={"size": 96, "windows": ["brain", [10, 20]]})))
    assert found["Size"] == "96 x 96 pixels"
    assert found["Windows (centre/width, HU)"] == "brain 40/80, 10/20"


def test_volumes_are_told_in_millimetres():
    settings = config(model={"name": "cnn3d"}, input={"size": [52, 64, 52], "spacing_mm": 3, "patches": {}})
    found = said(run_facts.seen(settings))
    assert found["Size"] == "52 x 64 x 52 voxels (RAS+)"
    assert found["Spacing"] == "3 x 3 x 3 mm"
    assert found["Patches"].startswith("16 a volume, drawn from foreground")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(kind="binary", positive="M"), "one logit, sigmoid: probability of M"),
        (Target(kind="multiclass", classes=("a", "b")), "2 logits, softmax: one of a, b"),
        (Target(kind="regression"), "one number in the column's unit"),
        (Target(kind="regression", head="bins", bins=(0, 10, 2)), "soft bins of 2 from 0 to 10"),
        (Target(kind="regression", head="gaussian"), "mean and standard deviation"),
    ],
)
def test_heads(target, words):
    assert run_facts.head(target).startswith(words)


def test_training_says_what_was_asked_and_what_was_done():
    settings = config(train={"epochs": 10, "early_stopping": 3, "accumulate": 2}, data={"undersample": "each_epoch"})
    history = pd.DataFrame({"loss": [3.0, 2.0, 1.0]})
    environment = {"precision": "mixed_bfloat16", "jit": True, "backend": "jax", "cores": 8, "devices": ["H200"]}
    environment |= {"examples_per_second": 1234.56, "input_wait_share": 0.021}
    found = said(run_facts.training(settings, environment, history, 2))
    assert found["Epochs"] == "3 of 10; weights of epoch 2, the best by val_loss"
    assert found["Batch"] == "32 examples, gathered over 2 batches"
    assert (
        found["Undersampling"]
        == "of the majority of any: a fresh draw each epoch, 1 for each of the minority (examples)"
    )
    assert found["Precision"] == "mixed_bfloat16, steps compiled (XLA), engine jax"
    assert found["Device"] == "H200 beside 8 CPU cores"
    assert found["Speed"] == "1234.6 examples/s; 2.1% of the time spent waiting for input"


def test_a_bare_environment_says_that_nothing_is_recorded():
    found = said(run_facts.training(config(), {}, None, None))
    assert found["Epochs"] == "10 asked for"
    assert found["Device"] == "not recorded"
    assert "Speed" not in found


def test_augmentation_has_a_word_for_every_key():
    keys = set(Augment.model_fields) - {"share"}
    assert keys == set(run_facts.CHANGES)
    strengths = dict.fromkeys(keys, 0.5)
    rows = run_facts.augmentation(Augment(**strengths), 3, (3, 10))
    assert len(rows) == len(keys) + 2  # window jitter, and the share of the volumes
    assert said(rows)["rotate"] == "rotated by up to ±0.5°"
    assert said(rows)["gamma"] == "gamma: exponent between 0.607 and 1.65"
    assert said(rows)["low resolution"] == "made up to 1.5 times as coarse, and back"
    assert run_facts.augmentation(Augment(), 2) == [("none", "no example is changed at random")]


def test_counts_of_a_built_network():
    """Two 3 x 3 kernels and a dense layer, counted by hand."""
    import keras

    from medtf.models.facts import facts

    image = keras.Input((8, 8, 1))
    features = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(image)
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(features))
    model = keras.Model(image, {"any": keras.layers.Dense(1, name="any")(features)})
    found = facts(model)
    assert found["parameters"] == 9 * 4 + 2 * 4 + 4 + 1
    assert found["all_parameters"] == found["parameters"] + 2 * 4  # moving mean and variance
    assert found["multiply_adds"] == 8 * 8 * 9 * 4 + 4
    assert (found["layers"], found["weighted_layers"]) == (5, 3)
    assert (found["input"], found["outputs"]) == ([8, 8, 1], {"any": 1})
