"""Where each key of a TOML text stands: tomllib reads values, and forgets the lines."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

Path = tuple[str, ...]

WORD: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""'
    r"|'''.*?'''"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[^\s\"'#\[\]{}=]+"
    r"|.",
    re.DOTALL,
)
PART: Final = re.compile(r'"((?:\\.|[^"\\])*)"|\'([^\']*)\'|([\w-]+)')


def key_lines(text: str) -> Mapping[Path, int]:
    """Return the line, counted from 1, of every section and key outside inline tables."""
    found: dict[Path, int] = {}
    section: Path = ()
    for line, words in statements(text):
        if words[0] == "[":
            section = key = parts("".join(words).strip("[]"))
        else:
            key = section + parts("".join(words).partition("=")[0])
        for length in range(1, len(key) + 1):
            found.setdefault(key[:length], line)
    return found


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of a key; inside an inline table that of the table; 1 when it has none."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each statement's first line and its words, comments and spaces left out."""
    line, start, depth, words = 1, 1, 0, list[str]()
    for word in WORD.findall(text):
        if word == "\n" and words and (not depth or words[0] == "["):
            yield start, words
            depth, words = 0, []
        elif not word.isspace() and not word.startswith("#"):
            start = start if words else line
            words.append(word)
            depth += (word in {"[", "{"}) - (word in {"]", "}"})
        line += word.count("\n")
    if words:
        yield start, words


def parts(key: str) -> Path:
    """Return the parts of a dotted key, unquoted."""
    return tuple(next(filter(None, found), "") for found in PART.findall(key))
