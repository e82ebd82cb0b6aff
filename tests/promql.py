"""Enough of PromQL's grammar to find the series, labels and groupings that an expression names."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STRING = re.compile(r'"[^"]*"')
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?\s*(?:\[[^\]]*\])?")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_KEYWORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring"}
# What Prometheus itself adds to every series that it scrapes.
TARGET_LABELS = frozenset({"job", "instance"})


@dataclass(frozen=True)
class Selector:
    """A series, the labels it is selected by, and the values these are compared with."""

    name: str
    matchers: dict[str, str]


def selectors(expr: str) -> list[Selector]:
    """Give every series that is named."""
    found = []
    bare = _GROUPING.sub(" ", expr)
    for match in _SELECTOR.finditer(_mask(bare)):
        after = bare[match.end(1) :].lstrip()
        if match[1] in _KEYWORDS or after.startswith("("):  # a function or an aggregation
            continue
        inside = bare[match.start(2) : match.end(2)] if match[2] is not None else ""
        found.append(Selector(match[1], dict(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', inside))))
    return found


def groupings(expr: str) -> set[str]:
    """Give every label that something is grouped or joined by."""
    return {
        label.strip() for inside in _GROUPING.findall(expr) for label in inside.split(",") if label.strip()
    }


def _mask(expr: str) -> str:
    """Strings, ranges and numbers with units hold no names."""
    for pattern in (_STRING, re.compile(r"\[[^\]]*\]"), re.compile(r"\b\d[\w.]*")):
        expr = pattern.sub(
            lambda match: '"' + " " * (len(match[0]) - 2) + '"' if len(match[0]) > 1 else "0", expr
        )
    return expr
