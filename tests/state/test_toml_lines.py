"""Where keys stand in a TOML text."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from state.toml_lines import key_lines, line_of

TEXT = '''\
top.dotted = 1
# commented = 2
[risk] # trailing
max_gross = 1.0
restricted = [
  "A", # [
  "B=[",
]
note = """
hidden = 1
[nope]
"""
"quoted key" = 'a = 1'
[universe.instruments."BRK.B"]
lot = "1"
[paper]
'literal' = { a = 1, b = [2] }
'''


def test_every_key_is_on_the_line_it_is_on():
    assert key_lines(TEXT) == {
        ("top",): 1,
        ("top", "dotted"): 1,
        ("risk",): 3,
        ("risk", "max_gross"): 4,
        ("risk", "restricted"): 5,
        ("risk", "note"): 9,
        ("risk", "quoted key"): 13,
        ("universe",): 14,
        ("universe", "instruments"): 14,
        ("universe", "instruments", "BRK.B"): 14,
        ("universe", "instruments", "BRK.B", "lot"): 15,
        ("paper",): 16,
        ("paper", "literal"): 17,
    }


def test_inside_an_inline_table_the_line_is_the_tables():
    assert line_of(key_lines(TEXT), ("paper", "literal", "b")) == 17
    assert line_of(key_lines(TEXT), ("nowhere", "at all")) == 1


names = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)
values = st.one_of(
    st.integers(0, 99).map(str),
    st.text("ab=[]{}#' ", max_size=9).map(lambda text: f'"{text}"'),
    st.text('ab=[]{}#" ', max_size=9).map(lambda text: f"'{text}'"),
    st.text("ab=[]{}#\n", max_size=9).map(lambda text: f'"""{text}"""'),
    st.lists(st.integers(0, 9), max_size=3).map(lambda n: "[\n" + ",\n".join(map(str, n)) + "\n]"),
)


@given(st.dictionaries(names, st.dictionaries(names, values, max_size=4), max_size=4))
def test_every_key_of_any_text_is_found_where_it_was_written(document):
    lines, expected = [], {}
    for section, table in document.items():
        expected[(section,)] = sum(line.count("\n") + 1 for line in lines) + 1
        lines.append(f"[{section}] # = [")
        for key, value in table.items():
            expected[section, key] = sum(line.count("\n") + 1 for line in lines) + 1
            lines.append(f"{key} = {value} # ' \"")
    text = "\n".join(lines)

    assert tomllib.loads(text).keys() == document.keys()
    assert key_lines(text) == expected
