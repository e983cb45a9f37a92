"""The shell of `milepost sql`: a prompt with history and completion, where a query goes on until its semicolon."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.output import create_output

from pipelines.errors import QueryError, UsageError
from pipelines.statements import complete, statements

COMMANDS = {
    ".tables": "list the tables and views",
    ".schema NAME": "tell the columns of a table or view",
    ".help": "tell this",
    ".quit": "leave, as Ctrl-D does",
}
"""What the shell itself understands, and what for."""

_WORD = re.compile(r"(?:(\w+)\.)?(\w*)$")
_WANTS_RELATION = re.compile(r"\b(?:from|join|describe|summarize|table)\s+(?:\w+\s*,\s*)*\w*$|^\.schema\s+\w*$", re.I)


def converse(db: duckdb.DuckDBPyConnection, tell: Callable[[str], None]) -> None:
    """Answer what is typed, until it ends; what is wrong is told in one sentence and forgotten.

    Args:
        db: an opened lake.
        tell: answers one query; raises QueryError or UsageError.
    """
    words = LakeWords(db)
    print(f"Tables and views: {', '.join(words.relations)}.")
    print("End a query with ; and leave with Ctrl-D; .help tells more.")
    session: PromptSession[str] = PromptSession(
        "milepost> ",
        history=history(),
        completer=words,
        complete_while_typing=False,
        multiline=Condition(_goes_on),
        prompt_continuation="     ...> ",
        # An answer may be piped away; what is typed is still to be seen.
        output=create_output(always_prefer_tty=True),
    )
    while True:
        try:
            typed = session.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if typed.strip() == ".quit":
            return
        try:
            for query in _queries(typed.strip(), words):
                tell(query)
        except (QueryError, UsageError) as fault:
            print(fault, file=sys.stderr)
        except KeyboardInterrupt:
            print("Interrupted.", file=sys.stderr)


class LakeWords(Completer):
    """Completes what is typed by the tables, views and columns of a lake, its macros, and the words of SQL.

    Attributes:
        relations: the columns of each table and view, by its name.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        """Learn the words of an opened lake."""
        columns = """select table_name, list(column_name order by column_index) from duckdb_columns()
            where not internal and schema_name = 'main'"""
        self.relations: dict[str, list[str]] = dict(db.sql(f"{columns} group by all order by all").fetchall())
        macros = "select distinct function_name from duckdb_functions() where not internal order by all"
        own = [f"{name}(" for (name,) in db.sql(macros).fetchall()]
        listed = db.sql("select distinct keyword_name from duckdb_keywords() order by all").fetchall()
        self._columns = sorted({column for columns in self.relations.values() for column in columns})
        self._others = [*own, *(keyword for (keyword,) in listed)]

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Give the words that go on from what stands before the cursor, the likely ones first."""
        before = document.text_before_cursor
        if before.startswith(".") and " " not in before:
            names = [command.partition(" ")[0] for command in COMMANDS]
            yield from (Completion(name, -len(before)) for name in names if name.startswith(before))
            return
        found = _WORD.search(before)
        assert found
        owner, begun = found[1], found[2]
        for word in self._likely(before, owner, begun):
            if word.startswith(begun.lower()):
                yield Completion(word.upper() if begun.isupper() and word in self._others else word, -len(begun))

    def _likely(self, before: str, owner: str | None, begun: str) -> list[str]:
        if owner is not None:
            return self.relations.get(owner.lower(), self._columns)
        if _WANTS_RELATION.search(before):
            return [*self.relations, *(word for word in self._others if word == "scorecard(")]
        return list(dict.fromkeys([*self._columns, *self.relations, *self._others])) if begun else []


def history() -> History:
    """Give what was typed before, kept in the user's state folder for nobody else to read; if it can be kept."""
    try:
        state = Path(os.environ.get("XDG_STATE_HOME", ""))
        # By the XDG specification a relative folder counts as none.
        folder = (state if state.is_absolute() else Path.home() / ".local" / "state") / "milepost"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / "sql_history"
        handle = os.open(file, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
        os.fchmod(handle, 0o600)
        os.close(handle)
    except (OSError, RuntimeError) as fault:
        print(f"History is not kept: {getattr(fault, 'strerror', None) or fault}.", file=sys.stderr)
        return InMemoryHistory()
    return FileHistory(file)


def _goes_on() -> bool:
    """Say whether Enter begins a new line, since the query is not complete."""
    text = get_app().current_buffer.text
    return not (text.lstrip().startswith(".") or complete(text))


def _queries(typed: str, words: LakeWords) -> Iterator[str]:
    """Give the queries to answer; commands of the shell that need none are answered at once."""
    if not typed.startswith("."):
        yield from statements([typed])
        return
    command, _, name = typed.rstrip("; ").partition(" ")
    match command, name.strip():
        case ".tables", "":
            print("\n".join(words.relations))
        case ".schema", name if name in words.relations:
            yield f'select column_name, column_type from (describe "{name}")'
        case ".schema", name:
            raise QueryError(f"There is no table or view {name}." if name else "Say which: .schema NAME.")
        case ".help", "":
            print("\n".join(f"{command:15}{what}" for command, what in COMMANDS.items()))
        case _:
            raise QueryError(f"There is no command {command}; .help tells what there is.")
