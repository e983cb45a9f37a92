"""What README and docs say: commands and their options exist, links lead somewhere, examples can be used."""

import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest

from pipelines.cli import parse
from pipelines.engine import beam_options
from pipelines.flink import DEFAULTS
from pipelines.query import open_lake
from pipelines.sql import answer
from schemas.profiles import read_profile
from services.gateway.config import read_config as read_gateway
from services.gateway.config import read_secrets
from services.gateway.senders.registry import make
from services.relay import config as relay
from services.relay.metrics import Metrics
from transforms.metrics import REGISTRY
from transforms.publish.lake import Lake

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "services/gateway/README.md",
    ROOT / "scripts/schedule/README.md",
]
OURS = ("milepost", "scripts/flink/run")
"""What is followed by a command and its options."""
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLACE = re.compile(r"(?:schemas|transforms|pipelines|services|scripts|tests|docs)/[\w./-]*")


def text_of(page):
    """Give a page's text."""
    return page.read_text(encoding="utf-8")


def blocks(page, language):
    """Give the fenced blocks of a language; those with commands name none."""
    return [body for named, body in FENCED.findall(text_of(page)) if named == language]


def prose(page):
    """Give a page without its fenced blocks."""
    return FENCED.sub("", text_of(page))


def whole(lines):
    """Join lines that go on: by a backslash, or by a quote that is still open."""
    begun = ""
    for line in lines:
        begun = f"{begun} {line.strip()}" if begun else line
        if begun.endswith("\\"):
            begun = begun[:-1].rstrip()
        elif begun.count('"') % 2 == 0:
            yield begun
            begun = ""


def command(line):
    """Give the words of a command of ours; none where a line is something else."""
    # What stands behind two spaces says what the command is for.
    said = line if '"' in line else re.split(r" {2,}", line.strip())[0]
    said = re.sub(r"^(\$ )?([A-Z_]+=\S+ )*(\.venv/bin/(?:python )?)?", "", said.strip())
    if not re.match(r"milepost |scripts/[\w/.]+(\s|$)", said):
        return []
    return [word for word in shlex.split(re.sub(r" +\([^()]*\)$", "", said)) if word != "…"]


def shown(page):
    """Give the commands in a page's blocks."""
    found = [command(line) for body in blocks(page, "") for line in whole(body.splitlines())]
    return [words for words in found if words]


def named(page):
    """Give the commands that a page's prose names: mostly without all that they need."""
    spans = [span for span in SPAN.findall(prose(page)) if not PLACE.fullmatch(span)]
    return [words for words in map(command, spans) if words]


def cases(find):
    """Make a test of each thing found in each page."""
    found = {(page, str(one)): one for page in PAGES for one in find(page)}
    return [
        pytest.param(page, one, id=f"{page.relative_to(ROOT)}: {' '.join(one) if isinstance(one, list) else one}")
        for (page, _), one in found.items()
    ]


@pytest.mark.parametrize(("page", "words"), cases(shown))
def test_a_command_that_is_shown_can_be_given(page, words):
    script, *given = words
    if script in OURS:
        # Beam knows an option of Flink's only where Flink is what runs.
        beam_options(["--runner=FlinkRunner", *parse(given).rest])
    else:
        check_script(script, given)


@pytest.mark.parametrize(("page", "words"), cases(named))
def test_a_command_that_is_named_exists_with_its_options(page, words, capsys):
    script, *given = words
    if script not in OURS:
        check_script(script, given)
        return
    with pytest.raises(SystemExit, match=r"^0$"):
        parse([given[0], "--help"])
    told = capsys.readouterr().out
    assert [word for word in given if word.startswith("--") and word.partition("=")[0] not in told] == []


def check_script(script, given):
    """Make sure that a script is there and speaks of what it is given."""
    path = ROOT / script
    assert path.is_file()
    if script == "scripts/test":
        assert all((ROOT / word).exists() for word in given if not word.startswith("-"))
    elif path.suffix != ".py":
        assert path.stat().st_mode & 0o111
        assert all(word in text_of(path) for word in given)


def slugs(page):
    """Give the anchors of a page's headings."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def links(page):
    """Give the links of a page that stay in the project."""
    return [to for to in LINK.findall(prose(page)) if "://" not in to]


@pytest.mark.parametrize(("page", "to"), cases(links))
def test_a_link_leads_somewhere(page, to):
    place, _, anchor = unquote(to).partition("#")
    target = (page.parent / place).resolve() if place else page
    assert target.exists()
    assert target.is_relative_to(ROOT)
    assert not anchor or anchor in slugs(target)


def places(page):
    """Give the files and folders that a page names; `acme` stands for one that a reader makes."""
    return [span for span in SPAN.findall(prose(page)) if PLACE.fullmatch(span) and "acme" not in span]


@pytest.mark.parametrize(("page", "place"), cases(places))
def test_a_file_that_is_named_is_there(page, place):
    assert (ROOT / place).exists()


def queries(page):
    """Give the SQL of a page's commands."""
    return [words[-1] for words in shown(page) if words[:2] == ["milepost", "sql"] and " " in words[-1]]


@pytest.mark.parametrize(("page", "query"), cases(queries))
def test_a_query_can_be_asked(page, query, tmp_path):
    Lake(tmp_path).check(create=True)
    with open_lake(tmp_path) as db:
        assert answer(db, query).rows.num_columns


def toml(page, number):
    """Give a block of settings."""
    return blocks(ROOT / "docs" / page, "toml")[number]


def test_the_profile_has_no_fault(tmp_path):
    path = tmp_path / "acme.toml"
    path.write_text(toml("carriers.md", 0))
    assert read_profile(path).name == "acme"


def test_the_sender_can_be_set_up(tmp_path, monkeypatch):
    monkeypatch.setenv("ACME_SECRET", "a secret")
    path = tmp_path / "gateway.toml"
    path.write_text(toml("carriers.md", 1))
    (name, sender), *_ = read_gateway(path).senders().items()
    assert make(sender.kind, name, read_secrets(sender.secrets), sender.options).name == "acme"


def test_the_relay_s_file_can_be_used_and_its_defaults_are_those(tmp_path, monkeypatch):
    for variable in ("HOOK_NEW", "HOOK_OLD"):
        monkeypatch.setenv(variable, "a secret")
    path = tmp_path / "relay.toml"
    path.write_text(toml("operating.md", 0))
    channel = relay.read_config(path).channel["webhook"]
    assert channel == relay.WebhookConfig(url=channel.url, secrets=channel.secrets)
    channel.make().close()


def test_operating_knows_every_default_of_a_live_run():
    told = prose(ROOT / "docs/operating.md")
    assert [name for name in DEFAULTS if f"`{name}`" not in told] == []


def test_operating_knows_every_metric_and_no_other():
    told = {re.sub(r"_total$", "", name) for name in re.findall(r"`(milepost_\w+)", prose(ROOT / "docs/operating.md"))}
    known = {family.name for registry in (REGISTRY, Metrics().registry) for family in registry.collect()}
    assert told == known - {"milepost_relay_send_seconds"}
