"""Each method of an interval has one letter and one explanation."""

import ast
from pathlib import Path

from medtf.evaluate.pages import methods
from medtf.evaluate.pages.report import template


def metric(method, low=0.1):
    return {"value": 0.2, "low": low, "high": None if low is None else 0.3, "method": method}


def test_letters_follow_one_order_wherever_a_method_stands():
    deep = {"a": [{"x": metric("wilson")}], "b": {"c": {"auc": metric("delong")}}, "d": metric("bca")}
    assert methods.marks(deep) == {"bca": "a", "delong": "b", "wilson": "c"}
    assert [m["name"] for m in methods.explained(deep)][1:] == ["DeLong", "Wilson score"]


def test_a_method_without_an_interval_is_not_explained():
    assert methods.marks({"a": metric("wilson", low=None)}) == {}


def test_a_test_of_a_difference_is_no_interval():
    assert methods.marks({"tests": {"auc": {"statistic": 1.0, "p": 0.5, "method": "Cochran's Q"}}}) == {}


def test_an_unknown_method_is_named_as_it_is():
    assert methods.explained({"a": metric("new_method")}) == [
        {"mark": "a", "key": "new_method", "name": "new method", "text": "", "source": ""}
    ]


def test_the_page_puts_the_letter_behind_the_interval(tmp_path):
    found = metric("delong")
    page = template("report_parts.html.j2", methods.marks(found)).environment.from_string("{{ m | interval(false) }}")
    assert page.render(m=found) == '0.100 to 0.300<a class="mark" href="#method-a">a</a>'
    assert page.render(m={"value": None, "low": None, "reason": "<no>", "method": "delong"}) == "&lt;no&gt;"


def test_every_method_that_an_interval_can_name_is_explained():
    """Each `Interval(low, high, "name")` of the package."""
    named = set()
    for path in Path(methods.__file__).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Interval" and node.args:
                constants = (part.value for part in ast.walk(node.args[-1]) if isinstance(part, ast.Constant))
                named |= {value for value in constants if isinstance(value, str)}
    assert len(named) > 5
    assert named <= set(methods.METHODS)
