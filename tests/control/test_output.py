"""One line of JSON that fits where it has to."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.output import XCOM_LIMIT, enveloped, fitted, line, write_file
from control.protocol import Exit, Fault, Reply


def envelope(data, **more):
    return enveloped(
        Reply("report", True, "completed", Exit.DONE, data=data, **more), "report", 0.1
    )


def told(data, **more):
    return msgspec.json.decode(fitted(envelope(data, **more)))


def test_what_fits_is_left_alone():
    small = envelope({"lines": [1, 2, 3]}, warnings=("careful",))
    assert fitted(small) == line(small)


def test_the_largest_goes_first_and_is_named():
    found = told({"a": ["x" * 30] * 40, "b": {"c": ["x" * 30] * 200}, "d": [1, 2]}, warnings=("w",))
    assert found["data"] == {"a": ["x" * 30] * 40, "b": {"c": []}, "d": [1, 2]}
    assert found["warnings"] == [
        "w",
        "cut to fit 4096 bytes: data.b.c (200 items); --output FILE keeps the whole",
    ]


def test_of_two_as_large_the_first_by_name_goes_first():
    found = told({"b": ["x" * 30] * 80, "a": ["x" * 30] * 80})
    assert found["data"] == {"b": ["x" * 30] * 80, "a": []}


def test_tables_go_too():
    found = told({"by_symbol": {f"S{n}": "1.5" for n in range(999)}, "sharpe": 1.0})
    assert found["data"] == {"by_symbol": {}, "sharpe": 1.0}


def test_what_is_no_list_goes_with_all_of_data():
    found = told({"text": "x" * 9999})
    assert found["data"] is None
    assert "data" in found["warnings"][0]


def test_at_last_even_texts_are_cut():
    found = told(None, error=Fault("CODE", "m" * 5000, "h" * 5000), warnings=("w" * 9000,) * 9)
    assert found["note"]["code"] == "CODE"
    assert len(found["note"]["message"]) == 300
    assert found["warnings"][-1] == "texts and data were cut"


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=400),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=30), inner),
    max_leaves=60,
)


@given(json, st.lists(st.text(max_size=3000), max_size=5), st.none() | st.text(max_size=5000))
def test_it_always_fits_in_one_line_and_nothing_is_cut_in_silence(data, warnings, message):
    error = None if message is None else Fault("CODE", message, message)
    whole = envelope(data, warnings=tuple(warnings), error=error)
    text = fitted(whole)

    assert len(text) <= XCOM_LIMIT
    assert text.count(b"\n") == 1
    assert text.endswith(b"\n")
    found, before = msgspec.json.decode(text), msgspec.json.decode(line(whole))
    assert found == before or "cut" in found["warnings"][-1]
    assert found["ok"] == before["ok"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "result.json"
    file.write_text("before")
    write_file(str(file), b"after")
    assert file.read_text() == "after"

    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_file(str(tmp_path / "folder"), b"x")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "result.json"]
