"""Figures and moments are written for people."""

from zoneinfo import ZoneInfo

import pytest

from console.parts.figures import count, figure, rate, share
from console.parts.plot import plain
from console.parts.when import local_text, moment, span_text, utc_text
from console.site import zone_of

PRAGUE = ZoneInfo("Europe/Prague")
MOMENT = 1_769_817_600_123  # 2026-01-31 00:00:00.123 UTC


@pytest.mark.parametrize(("found", "text"), [
    (count(12_345), "12,345"), (count(None), "-"), (figure(0.031249), "0.0312"), (figure(1_240.4), "1,240"),
    (figure(6.1e-9), "6.1e-09"), (figure(0.0), "0"), (figure(12_345_678.0), "12,345,678"), (share(0.1234), "12.3 %"),
    (rate(0.25), "0.25/s"), (rate(1_234.5), "1,234/s"), (rate(None), "-"), (span_text(3_200), "3.2 s"),
    (span_text(86_400_000 * 12), "12 d"), (span_text(250), "250 ms"),
])
def test_a_figure_is_short_and_has_its_unit(found: str, text: str) -> None:
    assert found == text


def test_a_moment_is_in_the_users_zone_with_utc_on_hover() -> None:
    shown = moment(MOMENT, PRAGUE)
    assert not isinstance(shown, str)
    assert (shown.children, shown.title) == ("2026-01-31 01:00:00", "2026-01-31 00:00:00.123 UTC")  # type: ignore[attr-defined]
    assert (moment(None, PRAGUE), local_text(None, PRAGUE), utc_text(None)) == ("-", "-", "-")


@pytest.mark.parametrize("name", ["", "Nowhere/Town", "../../etc/passwd", "\x00", "x" * 5_000])
def test_a_zone_that_nobody_knows_is_utc(name: str) -> None:
    assert zone_of(name).key == "UTC"


def test_a_text_in_a_plot_has_no_tags() -> None:
    assert plain("<b>&</b>") == "&lt;b&gt;&amp;&lt;/b&gt;"
