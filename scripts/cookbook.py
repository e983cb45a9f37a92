"""The cookbook's answers: asked of the shop that the page itself makes up, and written back into it.

.venv/bin/python -m scripts.cookbook
"""

import re
import tempfile
from pathlib import Path

from pipelines.cli import main
from pipelines.query import open_lake
from pipelines.render import as_table
from pipelines.sql import answer

PAGE = Path(__file__).parents[1] / "docs" / "cookbook.md"

_SHOP = re.compile(r"^milepost (.+)$", re.MULTILINE)
_QUESTION = re.compile(r"```sql\n(?P<query>.*?)```\n(?:\n```text\n.*?```\n)?", re.DOTALL)


def make_shop(page: str, folder: Path) -> Path:
    """Run the commands by which the page makes up its shop, in a folder; give the lake."""
    for command in _SHOP.findall(page):
        words = [str(folder / word) if word.split("/")[0] in ("shop", "lake") else word for word in command.split()]
        if main(words) != 0:
            raise SystemExit(f"cookbook: milepost {command} failed")
    return folder / "lake"


def answered(page: str, lake: Path) -> str:
    """Give the page with the answer of a lake under each of its questions."""
    with open_lake(lake) as db:

        def ask(question: re.Match[str]) -> str:
            query = question["query"]
            return f"```sql\n{query}```\n\n```text\n{as_table(answer(db, query))}```\n"

        return _QUESTION.sub(ask, page)


def _write() -> None:
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(answered(page, make_shop(page, Path(folder))), encoding="utf-8")


if __name__ == "__main__":
    _write()
