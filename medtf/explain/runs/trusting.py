"""Do a method's maps depend on what this network has learnt? Asked of a few rows of a run before a map of it is shown."""

from pathlib import Path

import numpy as np

from medtf import predictions, prepare
from medtf.data.labels import encode
from medtf.errors import AskedWronglyError, MedtfError
from medtf.explain.runs.cases import Case, cases
from medtf.explain.runs.subject import Subject
from medtf.explain.trust.check import check
from medtf.explain.trust.labels import features_of

ROWS = 12  # whose maps are held against those of a network that has forgotten
FEW = 8, 2  # rows and steps for methods that read the input, which ask the network hundreds of times a map
HIGHEST = 0.1  # share of the rows whose maps most surely hold something
# training rows to which the head is fitted anew, by the network's dimensions
FITTED = {2: 200, 3: 60}


def verdict(
    subject: Subject, way, question, *, new: bool, seed: int = 0, progress: prepare.Progress = prepare.quiet
) -> dict:
    """The checks of `medtf.explain.trust` for one method: {"passed", "words", "details"}.

    Args:
        subject: of a fold, whose rows are taken (one a patient, both calls alike); or with `new` of new files: then rows of the run's own test or
            validation fold where its data are there, else the files themselves.
        way: of `explaining.ways`. question: of `explaining.asked_of`.
        progress: title -> callback (done, all), of reading.
    """
    method, model, target = way.method, subject.model, question.target
    known, notes = (_run_of(subject), []) if new else (subject, [])
    if known is None:
        known, notes = subject, ["checked on the files themselves, for the run's own data are away"]
    count, steps = (ROWS, 6) if method.of_layers else FEW
    images = _fullest(known.at(_rows(known, target, count, seed)), progress(f"trust: {method.label}"))
    layer = None if way.found is None else way.found.path
    fitted = _features(known, target, seed, progress)
    found = check(
        method, model, images, question.class_index, target=target, layer=layer, steps=steps, seed=seed, **fitted
    )
    details = found.details | ({"notes": notes} if notes else {})
    return {"passed": found.passed, "words": " ".join([found.words, *map(_sentence, notes)]), "details": details}


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."


def _run_of(subject: Subject) -> Subject | None:
    """Rows that the run itself knows, with nothing predicted; None where its data are away."""
    try:
        root, table = subject.run.root(), subject.run.table()
    except MedtfError:
        return None
    for fold in ("test", "valid"):
        rows = predictions.of_fold(table, fold)
        if len(rows) and all((Path(root) / path).is_file() for path in rows.frame["path"]):
            nothing = rows.frame[["row", "patient"]].reset_index(drop=True)
            return Subject(subject.run, subject.config, subject.model, Path(root), rows, nothing)
    return None


def _rows(subject: Subject, target: str, count: int, seed: int) -> np.ndarray:
    """Places of rows, drawn by chance, one a patient where there are enough.

    Of a binary target the highest answers and others in turn: where nothing speaks for it a map is empty and tells nothing, and findings are rare.
    """
    frame = subject.predictions
    order = np.random.default_rng(seed).permutation(len(frame))
    again = frame["patient"].iloc[order].duplicated().to_numpy()
    order = np.concatenate([order[~again], order[again][: max(0, count - int((~again).sum()))]])
    if subject.config.targets[target].kind == "binary" and target in frame:
        value = frame[target].iloc[order].to_numpy()
        upper = value >= np.quantile(value, 1 - HIGHEST)
        turn = np.where(upper, np.cumsum(upper), np.cumsum(~upper))
        order = order[np.argsort(turn, kind="stable")]
    return order[:count]


def _fullest(subject: Subject, progress) -> np.ndarray:
    """Of each row what the network is given; of patches the one that counts most."""
    return np.stack([_block(case) for case in cases(subject, progress=progress)])


def _block(case: Case) -> np.ndarray:
    return case.blocks[int(np.argmax(case.weights))]


def _features(subject: Subject, target: str, seed: int, progress) -> dict:
    """What the head is given of training rows and what they truly are, for `check`; nothing where they cannot be had. Kept with the network."""
    held = vars(subject.model).setdefault("_features", {})
    if (target, seed) not in held:
        try:
            held[target, seed] = _read(subject, target, seed, progress)
        except (AskedWronglyError, MedtfError):  # no dense head, or no training data here: the check is left out
            held[target, seed] = {}
    return held[target, seed]


def _read(subject: Subject, target: str, seed: int, progress) -> dict:
    spec, config = subject.config.targets[target], subject.config
    rows = predictions.of_fold(subject.run.table(), "train")
    values = encode(rows.frame, {target: spec})[target]
    known = np.flatnonzero(~np.isnan(values).any(axis=1))
    drawn = np.sort(np.random.default_rng(seed).permutation(known)[: FITTED[config.model.dimensions]])
    if not len(drawn):
        return {}
    frame = rows.frame.iloc[drawn]
    if not all((subject.root / path).is_file() for path in frame["path"]):
        return {}
    nothing = frame[["row", "patient"]].reset_index(drop=True)
    training = Subject(subject.run, config, subject.model, subject.root, rows.with_frame(frame), nothing)
    features = [
        features_of(subject.model, _block(case)[None], target=target)
        for case in cases(training, progress=progress("trust: training rows"))
    ]
    labels = values[drawn].argmax(axis=1) if spec.kind == "multiclass" else values[drawn, 0]
    return {
        "features": np.concatenate(features),
        "labels": labels,
        "kind": spec.head if spec.kind == "regression" else spec.kind,
    }
