from pathlib import Path

import polars as pl
import pytest

from producers.errors import UnusableFile
from producers.files import file_digest, file_rows, open_table, write_table
from producers.rows import Row
from schemas.pipeline import Pipeline
from tests.producers.conftest import define


def rows_of(path: Path, pipeline: Pipeline, first: int = 0) -> list[Row]:
    return list(file_rows(open_table(path), pipeline, first))


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_row_becomes_an_event_as_the_replay_table_says(shop: Pipeline, shop_csv: Path) -> None:
    first, second = rows_of(shop_csv, shop)[:2]
    assert first == Row(number=0, event_id="0", ts=1_577_836_800_000, entity="c0", label="1",
                        features={"amount": 0.5, "country": None, "online": False})
    assert second == Row(number=1, event_id="1", ts=1_577_836_801_000, entity="c1", label="0",
                         features={"amount": 1.5, "country": "DE", "online": True})


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.jsonl"])
def test_every_format_gives_the_same_rows(shop: Pipeline, shop_csv: Path, tmp_path: Path, name: str) -> None:
    columns = {"card": [f"c{n % 7}" for n in range(50)], "amount": [n + 0.5 for n in range(50)],
               "country": ["DE" if n % 2 else None for n in range(50)], "online": [n % 3 != 0 for n in range(50)],
               "fraud": [int(n % 5 == 0) for n in range(50)]}
    write_table(tmp_path / name, columns)
    table = open_table(tmp_path / name)
    assert table.rows == 50
    assert list(file_rows(table, shop)) == rows_of(shop_csv, shop)


def test_rows_from_a_number_on_keep_their_numbers(shop: Pipeline, shop_csv: Path) -> None:
    assert rows_of(shop_csv, shop, first=17) == rows_of(shop_csv, shop)[17:]


@pytest.mark.parametrize(("name", "text", "message"), [
    ("a.csv", "", "the file is empty; it needs a header and rows"),
    ("a.csv", "card,amount,online,fraud\n", "has the columns card, amount, online, fraud but no rows"),
    ("a.xlsx", "x", "'.xlsx' is not an ending that can be read; allowed: .csv, .csv.gz, .parquet, .jsonl, .ndjson"),
    ("a.parquet", "not one", "cannot be read as parquet"),
    ("a.csv.gz", "not one\n1\n", "are missing|is missing"),
    ("a.jsonl", '{"amount": 1}\n{"am', "cannot be read as jsonl"),
    ("a.csv", "card,amount,online,fraud\n1,2,true,0,5,6\n", "cannot be read as csv"),
    ("a.csv", "card,amount,online\nc,1,true\n",
     (r"column 'fraud' \(key 'replay.label' of pipeline 'shop'\) is missing; its columns are card, amount, online; "
     "change the key or the file; or replay without labels")),
    ("a.csv", "amount,online,fraud\n1,true,0\n", r"column 'card' \(key 'replay.entity'"),
    ("a.csv", "card,online,fraud\nc,true,0\n", r"column 'amount' \(key 'features'"),
    ("a.csv", "card,amount,online,fraud,age,size\nc,1,true,0,1,2\n",
     r"does not know the columns age, size; describe them under \[\[features\]\] or list them in key 'replay.drop'"),
])
def test_an_unusable_file_is_refused_in_one_sentence(tmp_path: Path, shop: Pipeline, name: str, text: str,
                                                     message: str) -> None:
    with pytest.raises(UnusableFile, match=message):
        rows_of(write(tmp_path / name, text), shop)


def test_a_missing_file_is_named(tmp_path: Path, shop: Pipeline) -> None:
    with pytest.raises(UnusableFile, match=r"gone.csv: there is no such file"):
        rows_of(tmp_path / "gone.csv", shop)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, shop: Pipeline) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("card,amount,online,fraud\né,1,true,0\n".encode("latin-1"))
    with pytest.raises(UnusableFile, match="cannot be read as csv in UTF-8"):
        rows_of(path, shop)


def test_a_pipeline_without_replay_table_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "amount\n1\n")
    bare = define(old=define_replay(), new="")
    with pytest.raises(UnusableFile, match=r"add a \[replay\] table"):
        rows_of(path, bare)


def define_replay() -> str:
    return ('[replay]\nlabel = "fraud"\nentity = "card"\nstart = "2020-01-01T00:00:00Z"\nspacing = "1s"\n'
            'drop = ["note"]\n')


def test_the_columns_are_checked_before_the_first_row_is_asked_for(tmp_path: Path, shop: Pipeline) -> None:
    table = open_table(write(tmp_path / "a.csv", "x\n1\n"))
    with pytest.raises(UnusableFile):
        file_rows(table, shop)


def test_labels_may_be_absent_when_they_are_not_sent(tmp_path: Path, shop: Pipeline) -> None:
    table = open_table(write(tmp_path / "a.csv", "card,amount,online\nc,1,true\n"))
    assert [row.label for row in file_rows(table, shop, labels=False)] == [None]


def test_a_bad_value_is_kept_and_marks_only_its_row(tmp_path: Path, shop: Pipeline) -> None:
    path = write(tmp_path / "a.csv", "card,amount,online,fraud\nc,1,true,0\nc,dear,yes,0\nc,NaN,1,0\nc,,1,0\nc,2,1,0\n")
    rows = rows_of(path, shop)
    assert [row.fits for row in rows] == [True, False, False, False, True]
    assert rows[1].features == {"amount": "dear", "online": "yes"}
    assert rows[2].features["amount"] is None
    assert "$.features.amount" in rows[1].problem


def test_times_are_read_from_text_dates_and_numbers_and_bad_ones_are_kept(tmp_path: Path) -> None:
    timed = define(old='drop = ["note"]', new='time = "at"')
    texts = ["2020-01-01", "2020-01-01T00:00:01Z", "2020-01-01 01:00:02+01:00", "1577836803000", "soon", "1e99", ""]
    path = write(tmp_path / "a.csv", "at,card,amount,online,fraud\n" + "".join(f"{t},c,1,true,0\n" for t in texts))
    rows = rows_of(path, timed)
    assert [row.ts for row in rows] == [*range(1_577_836_800_000, 1_577_836_804_000, 1_000), "soon", "1e99", None]
    assert [row.fits for row in rows] == [True] * 4 + [False] * 3
    pl.DataFrame({"at": [pl.date(2020, 1, 1)], "card": ["c"], "amount": [1], "online": [True], "fraud": [0]}).select(
        pl.lit("2020-01-01").str.to_date().alias("at"), pl.exclude("at")).write_parquet(tmp_path / "a.parquet")
    assert rows_of(tmp_path / "a.parquet", timed)[0] == rows[0]


def test_the_digest_names_the_content(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.csv", "a\n1\n"), write(tmp_path / "2.csv", "a\n1\n")
    assert file_digest(one) == file_digest(two) != file_digest(write(tmp_path / "3.csv", "a\n2\n"))
