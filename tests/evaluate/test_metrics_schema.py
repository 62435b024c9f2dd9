"""docs/metrics.schema.json holds what `judge` writes, and refuses what it never should."""

import copy
import json
from pathlib import Path

import pytest
import reported
from json_schema import faults

from medtf.evaluate.judge import SCHEMA

PATH = Path(__file__).resolve().parents[2] / "docs" / "metrics.schema.json"
KNOWN = {"value": 0.5, "low": 0.4, "high": 0.6, "method": "bca"}
UNKNOWN = {"value": None, "low": None, "high": None, "reason": "one class only"}


@pytest.fixture(scope="module")
def schema():
    return json.loads(PATH.read_text())


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    """Of three kinds of targets, two examples a patient."""
    return reported.write(tmp_path_factory.mktemp("schema") / "run").read_json("metrics.json")


def metrics_in(node, at="$"):
    """Every object with a value and the ends of an interval."""
    if isinstance(node, dict):
        if {"value", "low", "high"} <= set(node):
            yield at, node
        for key, value in node.items():
            yield from metrics_in(value, f"{at}.{key}")
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from metrics_in(value, f"{at}[{i}]")


def test_the_number_of_the_schema_is_the_one_that_is_written(schema):
    assert schema["properties"]["schema"] == {"const": SCHEMA}


def test_what_judge_writes_fits(schema, metrics):
    assert faults(metrics, schema) == []


def test_every_number_anywhere_is_a_metric(schema, metrics):
    found = list(metrics_in(metrics))
    assert len(found) > 100
    wrong = [fault for at, metric in found for fault in faults(metric, schema["$defs"]["metric"], schema, at)]
    assert wrong == []


@pytest.mark.parametrize("per", [1, 2])
def test_edges_fit_as_well(schema, tmp_path, per):
    """One class only, labels that are unknown, a fold of three."""
    frame = reported.people(12, per)
    frame["any"] = frame["any"].where(frame["fold"] != "test", "none")
    metrics = reported.write(tmp_path / "run", frame=frame).read_json("metrics.json")
    assert faults(metrics, schema) == []
    assert metrics["targets"]["any"]["auc"]["value"] is None


def change(metrics, *path, value):
    changed = copy.deepcopy(metrics)
    node = changed
    for key in path[:-1]:
        node = node[key]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("fingerprint",), None),
        (("schema",), 3),
        (("n", "patients"), -1),
        (("leaks",), "none"),
        (("targets", "any", "auc"), None),
        (("targets", "any", "auc"), {"value": 1.2, "low": 1.1, "high": 1.3, "method": "bca"}),
        (("targets", "any", "auc"), {"value": 0.5, "low": 0.4, "high": 0.6}),  # how was the interval made?
        (("targets", "any", "auc"), {"value": None, "low": None, "high": None}),  # why?
        (("targets", "any", "confusion", "tp"), 1.5),
        (("targets", "any", "kind"), "ordinal"),
        (("targets", "age_years", "agreement", "mean_difference"), 3.0),
        (("targets", "site_type", "per_class", "sea", "auc"), None),
        (("per_patient", "aggregate"), 3),
    ],
)
def test_what_is_wrong_is_refused(schema, metrics, path, value):
    assert set(faults(change(metrics, *path, value=value), schema)) - set(faults(metrics, schema))


def test_the_checker_knows_its_own_limits():
    with pytest.raises(ValueError, match="keywords that are not checked"):
        faults(1, {"multipleOf": 2})
    assert faults(True, {"type": "integer"})
    assert faults([1, "a"], {"type": "array", "items": {"type": "number"}}) == ["$[1]: expected number, found 'a'"]
    assert faults({"a": 1}, {"additionalProperties": False}) == ["$.a: not expected"]
    assert faults(KNOWN, {"anyOf": [{"type": "string"}, {"type": "object"}]}) == []
    assert faults(UNKNOWN, {"type": "object", "required": ["x"]}) == ["$: no 'x'"]
