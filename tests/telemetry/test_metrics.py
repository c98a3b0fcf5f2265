"""What services promise to export: named by one rule, labelled within bounds, there before anything happens."""

import re

import pytest
from prometheus_client import generate_latest

from automl_stream.exported_metrics import EXPORTED
from automl_stream.services import DOORS, SINGLE
from telemetry.metrics import PREFIX, Definition, ServiceMetrics

DEFINITIONS = {definition.name: definition for metrics in EXPORTED.values() for definition in metrics().definitions}


def test_every_service_that_runs_promises_metrics() -> None:
    assert EXPORTED.keys() == {"score", "console", *SINGLE, *DOORS}


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_metric_is_named_after_prometheus_and_says_what_it_is_and_what_bounds_its_labels(
        definition: Definition) -> None:
    assert re.fullmatch(PREFIX + r"[a-z][a-z0-9_]*[a-z0-9]", definition.name)
    assert definition.name.endswith("_total") == (definition.kind == "counter")
    assert not re.search(r"_(ms|milliseconds|minutes|percent|kb|mb)(_|$)", definition.name)
    assert definition.help.endswith(".")
    assert definition.help[0].isupper() or definition.help[0].isdigit()
    assert all(definition.labels.values())
    assert not {"le", "pipeline", "service", "instance", "job"} & definition.labels.keys()


@pytest.mark.parametrize("service", EXPORTED)
def test_two_services_that_export_the_same_name_mean_the_same(service: str) -> None:
    for definition in EXPORTED[service]().definitions:
        assert definition == DEFINITIONS[definition.name]


def test_counts_whose_labels_are_known_are_there_before_anything_is_counted() -> None:
    metrics = ServiceMetrics()
    metrics.counter("letters", "Letters.", reason=("lost", "late"))
    page = generate_latest(metrics.registry).decode()
    assert 'automl_stream_letters_total{reason="late"} 0.0' in page
    assert 'automl_stream_build_info{python="' in page


def test_two_services_in_one_process_have_nothing_in_common() -> None:
    first, second = ServiceMetrics(), ServiceMetrics()
    first.counter("letters", "Letters.").inc()
    second.counter("letters", "Letters.")
    assert "automl_stream_letters_total 0.0" in generate_latest(second.registry).decode()
