"""The page stands alone, and shows what comes from outside as text."""

import re
from html.parser import HTMLParser

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from automl_stream.backtest.page import page
from automl_stream.backtest.picture import picture
from automl_stream.backtest.result import Result
from tests.backtest.results import result, with_detectors

PLOTLY = "window.Plotly = {};"
HOSTILE = ("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "<!--", "&lt;b&gt;", "$plotly",
           "' onx='", "<a href='javascript:alert(1)'>x</a>", "]]>", "${x}")


class Tags(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[object] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data if self.cdata_elem is None else ""


def hostile(name: str) -> Result:
    """Every text of the result is the name."""
    made = result(names=(name, "another"), policy=name)
    return replace(made, pipeline=name, alerts=[replace(a, sentence=name, kind=name) for a in made.alerts],
                   decisions=[replace(d, trigger=name, reason=name, verdict=name) for d in made.decisions],
                   swaps=[replace(s, reason=name, version=name) for s in made.swaps],
                   windows=[replace(w, sentence=name) for w in made.windows])


def figures_of(html: str) -> object:
    found = re.search(r'<script id="figures" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return msgspec.json.decode(found[1])


HARMLESS = Tags(page([hostile("a")], PLOTLY)).tags


def as_json(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value))


def test_the_page_holds_the_figures_of_every_policy_and_a_place_for_each() -> None:
    results = [result(), result(policy="patient")]
    html = page(results, PLOTLY)
    assert figures_of(html) == as_json([picture(r) for r in results])
    assert [f'id="figure-{k}"' in html for k in range(3)] == [True, True, False]
    assert PLOTLY in html


def test_the_page_needs_no_network() -> None:
    assert not re.search(r"(?:src|href)\s*=|@import|url\(|https?:", page([result()], PLOTLY))


def test_the_page_suits_a_phone_and_the_dark() -> None:
    html = page([result()], PLOTLY)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "prefers-color-scheme: dark" in html


def test_tables_say_in_words_what_the_pictures_show() -> None:
    text = Tags(page([result()], PLOTLY)).text
    for said in ("0.9000 (0.8000)", "4 alerts", "Drift: a moved up.", "2 models", "bootstrap", "2 decisions",
                 "evidence on 100 fresh rows"):
        assert said in text


def test_detectors_have_a_table_of_their_own_where_there_are_any() -> None:
    text = Tags(page([with_detectors(result())], PLOTLY)).text
    for said in ("Detectors", "2.5 (12)", "not measured", "2 firings", "fell", "detector ddm"):
        assert said in text
    assert "Detectors" not in Tags(page([result()], PLOTLY)).text


def test_hostile_names_add_no_tag_and_are_shown_as_they_are() -> None:
    for name in HOSTILE:
        shown = Tags(page([hostile(name)], PLOTLY))
        assert shown.tags == HARMLESS
        assert name in shown.text


@given(st.text(alphabet=st.sampled_from("<>&\"'/!-$={}()abscript \\"), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None)
def test_no_name_adds_a_tag_or_breaks_the_figures(name: str) -> None:
    html = page([hostile(name)], PLOTLY)
    assert Tags(html).tags == HARMLESS
    assert figures_of(html) == as_json([picture(hostile(name))])


def test_plotly_is_given_no_tag_but_line_breaks() -> None:
    for name in HOSTILE:
        assert set(re.findall(r"<[^>]*>?", msgspec.json.encode(picture(hostile(name))).decode())) <= {"<br>"}
