"""A sheet of small pictures with a target of each kind, and a training of it inside this process."""

from types import SimpleNamespace

import factory
import keras
import numpy as np
import pandas as pd
import pytest
from fit_small import two_convolutions

from medtf import config as configs
from medtf import prepare, runs, train

TARGETS = {"sick": "binary", "site": {"classes": ["a", "b", "c"]}, "age": "regression"}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """60 grey pictures of 30 patients: bright ones are sick, the site is where a bar stands, the age its length."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    rows = []
    for i in range(60):
        patient = i // 2
        sick, site, age = patient % 2, patient % 3, 20 + 2 * patient
        image = generator.integers(0, 40, (32, 32)) + 90 * sick
        image[2 + 10 * site : 8 + 10 * site, : age // 3] = 250
        factory.picture(folder / "images" / f"{i}.png", image.astype(np.uint8))
        fold = "train" if patient < 18 else "valid" if patient < 24 else "test"
        rows.append((f"images/{i}.png", f"p{patient}", sick, "abc"[site], age, fold))
    columns = ["path", "patient", "sick", "site", "age", "fold"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "sheet.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def session_of(pictures):
    """A function: changed sections of the config -> session, run folder, and the lines that were said."""
    tables = {}

    def build(folder, *, change=None, said=None, targets=None, **sections):
        raw = {
            "pipeline": "table",
            "targets": targets or TARGETS,
            "data": {"columns": {"fold": "fold"}},
            "input": {"size": 32},
            "model": {"name": "mobilenet", "dropout": 0.5, **sections.pop("model", {})},
            "train": {"epochs": 2, "batch_size": 8, **sections.pop("train", {})},
            "evaluate": {"replicates": 50},
            **sections,
        }
        config = configs.parse(raw)
        key = tuple(config.targets)
        if key not in tables:
            tables[key] = prepare.training_table(config, pictures)[0]
        table = tables[key]
        if change:
            table = table.with_frame(change(table.frame.copy()))
        said = [] if said is None else said
        told = train.Told(say=said.append)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keras.applications, "MobileNet", two_convolutions)
            session = train.Session(config, table, pictures, told)
        run = runs.Run(folder / "run")
        if not run.folder.exists():
            run.create(config, table, pictures, runs.environment(**session.machine))
        return SimpleNamespace(session=session, run=run, said=said, config=config, table=table)

    return build


@pytest.fixture(autouse=True)
def _policy():
    """A session sets the process's precision; the next test begins with float32."""
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def kernels():
    """The weights of a trained session or of a saved model, as arrays."""

    def read(model):
        if not isinstance(model, keras.Model):
            model = keras.saving.load_model(model, compile=False)
        return model.get_weights()

    return read
