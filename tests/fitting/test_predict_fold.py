"""Predictions of a fold: equal to the model's own, in the table's order, without building the graph again and again."""

import keras
import numpy as np
import pytest

from medtf import predictions


@pytest.fixture(scope="module")
def made(session_of, tmp_path_factory):
    return session_of(tmp_path_factory.mktemp("predict"))


def predict(made, fold="train", **more):
    session = made.session
    table = session.folds[fold] if fold in session.folds else predictions.of_fold(made.table, fold)
    return predictions.predict(session.model, table, session.root, made.config, session.module, **more)


def test_predictions_are_the_models_own_in_the_tables_order(made):
    """36 rows in batches of 8: the last one holds 4."""
    done = []
    found = predict(made, progress=lambda n, whole: done.append((n, whole)))
    assert done == [(8, 36), (16, 36), (24, 36), (32, 36), (36, 36)]
    session = made.session
    batches = list(session.module.dataset(session.folds["train"], session.root, made.config, training=False))
    images = np.concatenate([image for image, _, _ in batches])
    expected = session.model.predict(images, batch_size=36, verbose=0)
    np.testing.assert_allclose(found["sick"], expected["sick"][:, 0], rtol=1e-4)
    np.testing.assert_allclose(found[["site_0", "site_1", "site_2"]], expected["site"], rtol=1e-4)
    np.testing.assert_allclose(found["age"], expected["age"][:, 0], rtol=1e-4)
    assert list(found["row"]) == list(np.flatnonzero(made.table.frame["fold"] == "train"))
    frame = session.folds["train"].frame.reset_index(drop=True)
    assert list(found["patient"]) == list(frame["patient"])
    np.testing.assert_array_equal(found["sick_true"], frame["sick"])
    np.testing.assert_array_equal(found["site_true"], frame["site"].map({"a": 0, "b": 1, "c": 2}))
    np.testing.assert_array_equal(found["age_true"], frame["age"])
    assert found["sick"].dtype == np.float32


def test_what_is_not_known_stays_unknown(made):
    session = made.session
    frame = session.folds["valid"].frame.assign(sick=np.nan, site=None, age=np.nan)
    table = session.folds["valid"].with_frame(frame)
    found = predictions.predict(session.model, table, session.root, made.config, session.module)
    assert found[["sick_true", "site_true", "age_true"]].isna().all().all()
    assert found[["sick", "site_0", "age"]].notna().all().all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts tf.function's traces")
def test_the_graph_is_traced_twice_at_most(made):
    """Once for whole batches, once for any size: the partial batch of every later fold is free."""
    made.session.model.predict_function = None
    for fold in ("train", "valid", "test", "train"):
        predict(made, fold)
    assert made.session.model.predict_function.experimental_get_tracing_count() <= 2
