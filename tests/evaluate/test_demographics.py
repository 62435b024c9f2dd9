"""Table 1: people are counted, not rows; every number here was counted by hand."""

import numpy as np
import pandas as pd
import pytest

from medtf.config import parse
from medtf.data.labels import encode
from medtf.evaluate.pages import demographics
from medtf.evaluate.pages.demographics_rows import rows


@pytest.fixture
def table():
    """Four people in two folds: p1 has three images, p2 and p3 two, p4 one; p2 was seen at two sites, p3 at two ages."""
    frame = pd.DataFrame({
        "patient": ["p1", "p1", "p1", "p2", "p2", "p3", "p3", "p4"],
        "fold": ["train"] * 5 + ["test"] * 3,
        "age": [40, 40, 40, 60, 60, 70, 72, np.nan],
        "sex": ["F", "F", "F", "M", "M", "F", "F", ""],
        "site": ["A", "A", "A", "A", "B", "B", "B", "B"],
        "read_manufacturer": "hidden",
        "any": [0, 1, 0, 0, 0, np.nan, 1, np.nan],
    })  # fmt: skip
    config = parse({"pipeline": "table", "targets": {"any": "binary"}})
    return demographics.table(frame, config.targets, encode(frame, config.targets))


def row(found, name):
    return next(row for row in found["rows"] if row["column"] == name)


def test_folds_count_people_and_examples(table):
    assert table["folds"] == ["train", "test", "all"]
    assert table["patients"] == [2, 2, 4]
    assert table["examples"] == [5, 3, 8]


def test_a_persons_word_counts_once_and_a_person_of_two_words_has_none(table):
    sex, site = row(table, "sex"), row(table, "site")
    assert {level["level"]: level["counts"] for level in sex["levels"]} == {"F": [1, 1, 2], "M": [1, 0, 1]}
    assert (sex["known"], sex["unknown"]) == ([2, 1, 3], [0, 1, 1])
    counts = {level["level"]: level["counts"] for level in site["levels"]}
    assert counts == {"A": [1, 0, 1], "B": [0, 2, 2], "several values": [1, 0, 1]}


def test_a_person_is_positive_when_any_image_is_and_unknown_when_none_is_known(table):
    target = row(table, "any")
    assert target["levels"] == [{"level": "1", "counts": [1, 1, 2]}]
    assert (target["known"], target["unknown"]) == ([2, 1, 3], [0, 1, 1])
    assert target["examples"][:2] == [{"positives": 1, "known": 5}, {"positives": 1, "known": 1}]


def test_numbers_are_medians_of_people_not_of_rows():
    """One person of 9 images aged 90 among nine aged 10 to 18: of the people the median is 14.5, of the rows it would be 53.5."""
    ages = [*range(10, 19), *[90] * 9]
    frame = pd.DataFrame({"patient": [*map(str, range(9)), *["old"] * 9], "fold": "train", "age": ages})
    found = row(demographics.table(frame, {}, {}), "age")["numbers"][0]
    people = [*range(10, 19), 90]
    quartiles = np.quantile(people, [0, 0.25, 0.5, 0.75, 1])
    assert [found[key] for key in ("low", "q1", "median", "q3", "high")] == pytest.approx(quartiles)
    assert (found["n"], found["median"]) == (10, 14.5)


def test_what_the_reader_needs_and_targets_are_no_covariates(table):
    assert [row["column"] for row in table["rows"]] == ["age", "sex", "site", "any"]


def test_columns_asked_for_are_shown_after_those_that_are_known_by_name():
    frame = pd.DataFrame(
        {"patient": ["a", "b"], "fold": "train", "smoker": [1.0, 0.0], "sex": ["F", "M"], "nothing": ""}
    )
    found = demographics.table(frame, {}, {}, more=("smoker", "nothing", "absent"))
    assert [row["column"] for row in found["rows"]] == ["sex", "smoker"]
    assert [level["level"] for level in found["rows"][1]["levels"]] == ["0", "1"]


def test_rare_values_are_counted_together():
    sites = [f"s{i}" for i in range(12) for _ in range(12 - i)]
    frame = pd.DataFrame({"patient": map(str, range(len(sites))), "fold": "train", "site": sites})
    levels = row(demographics.table(frame, {}, {}), "site")["levels"]
    assert [level["level"] for level in levels] == [*(f"s{i}" for i in range(8)), "4 others"]
    assert levels[-1]["counts"] == [4 + 3 + 2 + 1] * 2
    assert sum(level["counts"][0] for level in levels) == len(sites)


def test_classes_keep_the_order_of_the_config():
    config = parse({"pipeline": "table", "targets": {"grade": {"classes": ["low", "high", "none"]}}})
    frame = pd.DataFrame({"patient": list("abc"), "fold": "test", "grade": ["high", "high", ""]})
    found = row(demographics.table(frame, config.targets, encode(frame, config.targets)), "grade")
    assert [(v["level"], v["counts"][0]) for v in found["levels"]] == [("low", 0), ("high", 2), ("none", 0)]
    assert found["unknown"][0] == 1


def test_the_page_prints_shares_of_the_known(table):
    lines = {line["label"]: line["cells"] for line in rows(table) if line["label"] != "unknown"}
    assert lines["F"] == ["1 (50.0)", "1 (100.0)", "2 (66.7)"]
    assert lines["any = 1"] == ["1 (50.0)", "1 (100.0)", "2 (66.7)"]
    assert lines["of the examples"] == ["1 (20.0)", "1 (100.0)", "2 (33.3)"]


def test_a_fold_where_nothing_is_known_prints_a_dash():
    frame = pd.DataFrame({"patient": list("ab"), "fold": ["train", "test"], "sex": ["F", ""]})
    lines = rows(demographics.table(frame, {}, {}))
    assert next(line for line in lines if line["label"] == "F")["cells"] == ["1 (100.0)", "–", "1 (100.0)"]
