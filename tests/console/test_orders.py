"""An order is a command of the project: its words, its JSON, its exit code; metrics have its name and no path."""

from console.metrics import METRICS
from console.orders import Orders


def test_what_a_command_refuses_is_told_in_its_words() -> None:
    outcome = Orders({}).run("apply", "/nowhere/payments.toml")
    assert not outcome.done
    assert outcome.said == ("/nowhere/payments.toml: cannot be read (No such file or directory); give the path of a "
                            "pipeline file")
    assert METRICS.orders.labels("apply", "refused")._value.get() == 1


def test_what_a_command_prints_is_its_document(tmp_path: object) -> None:
    outcome = Orders({}).run("status", "--home", str(tmp_path))
    assert (outcome.done, outcome.document) == (False, {"running": False, "parent": None, "services": []})


def test_a_command_that_takes_too_long_is_broken_off() -> None:
    outcome = Orders({}).run("status", patience=0.01)
    assert not outcome.done
    assert "was broken off" in outcome.said
