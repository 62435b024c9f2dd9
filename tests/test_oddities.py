"""Volumes whose foreground is far from their like are named by row; nothing else is said."""

import pandas as pd
import pytest

from medtf.oddities import odd_foregrounds
from medtf.table import Table


def of(sizes, **columns):
    return odd_foregrounds(Table(pd.DataFrame({"foreground_ml": sizes, **columns})))


def test_a_cut_off_brain_and_an_inverted_mask_are_named():
    [line] = of([1400, 1300, 1500, 1450, 600, 1350, 9000])
    assert line.startswith("foreground of 2 of 7 volumes is less than half or more than twice the median of 1,400 ml")
    assert "row 4 (600 ml), 6 (9,000 ml):" in line


@pytest.mark.parametrize("sizes", [[1400, 1300, 1500, 1450, 750, 1350, 2700], [1400, 10, 3000], [None] * 8])
def test_ordinary_few_and_unknown_ones_are_not_worth_a_word(sizes):
    assert of(sizes) == []


def test_sequences_are_held_against_their_like():
    """A TOF block covers a third of the head that a T1 covers."""
    sequences = ["T1"] * 6 + ["TOF"] * 6
    assert of([3000] * 6 + [1000] * 6, sequence=sequences) == []
    [line] = of([3000] * 6 + [1000] * 5 + [3000], sequence=sequences)
    assert line.startswith("foreground of 1 of 6 TOF volumes")


def test_without_the_pixel_pass_nothing_is_said():
    assert odd_foregrounds(Table(pd.DataFrame({"path": ["a"]}))) == []
