"""SQL text as statements: where one ends, and whether it says anything. Nothing is run."""

import re
from collections.abc import Iterable, Iterator

_QUIET = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""What may hold a semicolon that ends nothing: text, quoted names, comments."""
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_OPEN = re.compile(r"""['"]|\$\$|/\*""")


def statements(lines: Iterable[str]) -> Iterator[str]:
    r"""Split lines into statements, each up to a semicolon or the end of it all; empty ones are left out.

    >>> list(statements(["select 1; select ';\n", "'; -- done;\n"]))
    ['select 1;', " select ';\n';"]
    """
    begun = ""
    for line in lines:
        begun += line
        while (end := _end(begun)) is not None:
            if says_something(begun[:end]):
                yield begun[:end]
            begun = begun[end:]
    if says_something(begun):
        yield begun


def complete(text: str) -> bool:
    """Say whether every statement of a text has ended, so that nothing more need be awaited.

    >>> complete("select 1; -- done"), complete("select 1; select"), complete("select ';")
    (True, False, False)
    """
    while (end := _end(text)) is not None:
        text = text[end:]
    return not says_something(text)


def says_something(text: str) -> bool:
    """Say whether there is more to a text than comments and semicolons."""
    return bool(_COMMENT.sub("", text).strip("; \t\r\n"))


def _end(text: str) -> int | None:
    """Give where the first statement ends, behind its semicolon; None while it is not complete."""
    bare = _QUIET.sub(_blank, text)
    end, still_open = bare.find(";"), _OPEN.search(bare)
    return None if end < 0 or (still_open and still_open.start() < end) else end + 1


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
