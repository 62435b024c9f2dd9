import numpy as np
import pytest

from medtf.evaluate.statistics.draws import Draws
from medtf.evaluate.statistics.intervals import PatientBootstrap, measured


def replicated(*columns):
    """Draws of the means of columns (40,), of one bootstrap."""
    x = np.column_stack(columns)
    bootstrap = PatientBootstrap(np.arange(len(x)), replicates=300)
    means = bootstrap.replicate(
        lambda weights: {str(i): weights @ column / weights.sum(axis=1) for i, column in enumerate(x.T)}
    )
    return [means[str(i)] for i in range(x.shape[1])]


def test_arithmetic_goes_through_replicates_and_leave_out_values_alike():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 40))
    of_a, of_b, direct = replicated(a, b, 2 * a - b / 4 + 1)
    found = 2 * of_a - of_b / 4 + 1
    np.testing.assert_allclose(found.replicates, direct.replicates)
    np.testing.assert_allclose(found.left_out, direct.left_out)
    assert (found.intervals, found.level) == (direct.intervals, direct.level)
    np.testing.assert_allclose(sum([of_a, of_b]).left_out, (of_a + of_b).left_out)


def test_functions_and_numbers_of_numpy_keep_them_draws():
    draws = Draws([1.0, 4.0], [9.0])
    assert np.sqrt(draws).left_out == [3.0]
    assert isinstance(np.float64(2) * draws, Draws)
    assert (-draws).replicates.tolist() == [-1, -4]
    assert np.asarray(draws).tolist() == [1, 4]
    assert np.quantile(draws, 0.5) == 2.5
    assert draws[~np.isnan(draws)].tolist() == [1, 4]
    assert len(draws) == 2


def test_an_array_has_no_leave_out_values_to_go_with():
    assert (Draws([1.0, 2.0], [3.0]) + np.array([1.0, 1.0])).left_out is None
    assert measured(1.5, Draws(np.linspace(1, 2, 50)))["method"] == "percentile"


@pytest.mark.filterwarnings("error")
def test_division_by_nothing_is_an_undefined_draw():
    found = Draws([1.0, 0.0], [1.0]) / Draws([2.0, 0.0], [0.0])
    assert np.isnan(found.replicates).tolist() == [False, True]
