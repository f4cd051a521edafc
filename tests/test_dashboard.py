"""The Grafana dashboard can be imported, and asks for what there is."""

import itertools
import json
import re
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import CHECKOUT, MANUAL

DASHBOARD: dict[str, Any] = json.loads((CHECKOUT / "deploy" / "grafana" / "digits.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
SOURCE = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
WIDTH = 24
GROUPED = re.compile(r"\b(?:by|without|on) *\(([^)]*)\)")
OPERATORS = {"and", "or", "unless", "bool", "offset"}


def names_in(query: str) -> set[str]:
    """The metrics that a query of PromQL names: words that are no function, label, string or operator."""
    bare = GROUPED.sub("", re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"', "", query))
    return set(re.findall(r"\b[a-zA-Z_]\w*\b(?! *\()", bare)) - OPERATORS


def labels_in(query: str) -> set[str]:
    matched = re.findall(r"(\w+) *[=!]~?", " ".join(re.findall(r"\{[^}]*\}", query)))
    grouped = re.findall(r"\w+", " ".join(GROUPED.findall(query)))
    return {*matched, *grouped}


@pytest.fixture(scope="module")
def series(tiny_url: str) -> dict[str, set[str]]:
    """The series at /metrics, each with the names of its labels."""
    httpx.get(tiny_url + "/livez")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(httpx.get(tiny_url + "/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_names_and_labels_are_found_in_a_query() -> None:
    query = (
        'histogram_quantile(0.9, sum by (le, a) (rate(x_bucket{b=~"y|z", c!="d"}[$__rate_interval]))) > 0 or vector(0)'
    )
    assert names_in(query) == {"x_bucket"}
    assert labels_in(query) == {"le", "a", "b", "c"}


def test_it_can_be_imported() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["uid"] == "digits"
    assert "id" not in DASHBOARD  # Grafana gives it one
    assert [(each["name"], each["pluginId"]) for each in DASHBOARD["__inputs"]] == [("DS_PROMETHEUS", "prometheus")]
    assert {each["id"] for each in DASHBOARD["__requires"]} == {"grafana", "prometheus"} | {p["type"] for p in PANELS}
    assert "".join(DASHBOARD["__requires"][0]["version"].split(".")).isdigit()


def test_every_panel_says_what_it_shows_and_in_what_unit() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == SOURCE
        assert panel["targets"]
        assert all(target["datasource"] == SOURCE for target in panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_panels_lie_within_the_width_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert all(0 <= x < WIDTH for x, _ in cells)
        assert not taken & cells, panel["title"]
        taken |= cells


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_what_there_is(query: str, series: dict[str, set[str]]) -> None:
    names = names_in(query)
    assert names
    assert query.count("(") == query.count(")")
    for name in names:
        assert name in series
        assert 'job=~"$job"' in query
    assert labels_in(query) <= {"job", "instance", *itertools.chain.from_iterable(series[name] for name in names)}


def test_it_has_every_metric() -> None:
    shown = set().union(*map(names_in, QUERIES))
    shown |= {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    documented = set(re.findall(r"^\| `((?:digits|process)_\w+)` \|", MANUAL, re.M))
    assert documented - shown == {"process_virtual_memory_bytes"}  # TensorFlow maps much that it never touches
