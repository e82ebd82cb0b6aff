"""What is found in an expression."""

from __future__ import annotations

from tests.promql import Selector, groupings, selectors


def test_series_are_told_from_functions_keywords_labels_strings_and_ranges() -> None:
    expr = 'sum by (job, le) (rate(a_bucket{x="b_c", y!~"or"}[5m])) > 1 and on (job) d offset 5m or vector(0)'
    assert selectors(expr) == [Selector("a_bucket", {"x": "b_c", "y": "or"}), Selector("d", {})]
    assert groupings(expr) == {"job", "le"}


def test_a_number_is_no_series() -> None:
    assert selectors("predict_linear(a[30m], 4 * 3600) > 1e3") == [Selector("a", {})]
