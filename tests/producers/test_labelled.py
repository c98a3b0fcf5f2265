from pathlib import Path

from producers.files import file_rows, open_table
from producers.labelled import labelled_rows
from producers.rows import Row
from schemas.pipeline import Pipeline


def test_rows_become_the_first_entries_of_the_training_log(shop: Pipeline, shop_csv: Path) -> None:
    entries = list(labelled_rows(file_rows(open_table(shop_csv), shop), shop, "abc", lambda *_: None))
    assert [entry.source for entry in entries] == [f"bootstrap-abc-{n}" for n in range(50)]
    assert (entries[1].features, entries[1].label, entries[1].entity) == ([1.5, "DE", True], "0", "c1")
    assert all(entry.pipeline_digest == shop.digest and entry.model is None for entry in entries)


def test_rows_that_do_not_fit_or_have_no_label_are_reported_and_left_out(shop: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("card,amount,online,fraud\nc,1,true,0\nc,dear,true,0\nc,1,true,\n")
    left_out: list[tuple[int, str]] = []

    def note(row: Row, why: str) -> None:
        left_out.append((row.number, why))

    entries = list(labelled_rows(file_rows(open_table(path), shop), shop, "abc", note))
    assert [entry.event_id for entry in entries] == ["0"]
    assert [number for number, _ in left_out] == [1, 2]
    assert left_out[1][1] == "the label is missing"
