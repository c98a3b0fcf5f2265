"""What strangers wrote cannot steer the terminal."""

from hypothesis import given
from hypothesis import strategies as st

from automl_stream.dead_letters.wording import printable, readable, when


@given(st.binary())
def test_what_is_printed_of_bytes_is_printable(data: bytes) -> None:
    assert all(c.isprintable() or c in "\n\t" for c in readable(data))


@given(st.text())
def test_what_is_printed_of_a_text_is_one_printable_line(text: str) -> None:
    assert printable(text).isprintable()


def test_utf_8_is_shown_as_it_is_and_an_escape_sequence_in_hexadecimal() -> None:
    assert readable('{"ü": 1}\n'.encode()) == '{"ü": 1}\n'
    assert readable(b"\x1b[2J").startswith("00000000  1b 5b 32 4a ")


@given(st.binary(max_size=64))
def test_a_hex_dump_holds_every_byte(data: bytes) -> None:
    dump = readable(b"\xff" + data)
    assert bytes.fromhex("".join(row[10:57] for row in dump.splitlines())) == b"\xff" + data


def test_a_time_is_rfc_3339_and_an_impossible_one_is_still_told() -> None:
    assert when(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert (when(-1), when(10**18)) == ("-", f"{10**18} ms")
