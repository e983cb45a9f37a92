"""The shell of `milepost sql`: what is typed, key by key, and what comes of it."""

import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import threading

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from pipelines import shell, sql
from pipelines.query import open_lake
from pipelines.render import show
from schemas.rows import Milestone
from tests.builders import MONDAY
from tests.pipelines.lakes import put

ENTER, CTRL_C, CTRL_D, UP = "\r", "\x03", "\x04", "\x1b[A"


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Give the user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def db(lake):
    """Open a lake with one row."""
    put(lake, "milestones", Milestone("O1", "T1", "picked", MONDAY))
    with open_lake(lake.path) as db:
        yield db


@pytest.fixture
def type_in(db, state, capsys, monkeypatch):
    """Type keys into a shell until it ends; give what it said, and what it complained of."""
    monkeypatch.setattr(shell, "create_output", lambda **_: DummyOutput())

    def type_in(keys, tell=lambda query: show(sql.answer(db, query), "csv")):
        with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
            typed.send_text(keys)
            shell.converse(db, tell)
        said = capsys.readouterr()
        return said.out.partition(".help tells more.\n")[2], said.err

    return type_in


def test_a_query_goes_on_over_lines_until_its_semicolon(type_in):
    said, wrong = type_in(f"select ';{ENTER}' as a{ENTER}, 2 as b;{ENTER}{CTRL_D}")
    assert (said, wrong) == ('a,b\n";\n",2\n', "")


def test_several_queries_on_a_line_are_answered_in_turn(type_in):
    assert type_in(f"select 1 as a; select 2 as b;{ENTER}{CTRL_D}")[0] == "a\n1\nb\n2\n"


def test_what_is_wrong_is_one_sentence_and_the_shell_goes_on(type_in):
    said, wrong = type_in(f"selekt;{ENTER}drop view events;{ENTER};;{ENTER}{ENTER}select 7 as seven;{ENTER}{CTRL_D}")
    assert said == "seven\n7\n"
    assert re.fullmatch(r"Parser Error: [^\n]*selekt[^\n]*\.\nThe lake can only be asked: [^\n]*\.\n", wrong)


def test_ctrl_c_drops_what_is_typed_and_ctrl_d_ends(type_in):
    assert type_in(f"select 1 as{ENTER}wrong{CTRL_C}select 2 as b;{ENTER}{CTRL_D}select 3;{ENTER}") == ("b\n2\n", "")


@pytest.fixture
def _heeds_ctrl_c():
    """Heed it even where tests run in the background, which begin with it switched off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heeds_ctrl_c")
@pytest.mark.parametrize("after", [0, 0.3])
def test_ctrl_c_ends_a_query_and_the_shell_goes_on(type_in, db, after):
    def tell(query):
        if "range" in query:
            threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()
        show(sql.answer_unless_stopped(db, query), "csv")

    endless = "select count(*) from range(100000000) a, range(100000) b where (a.range * b.range) % 7 = 3;"
    assert type_in(f"{endless}{ENTER}select 2 as b;{ENTER}{CTRL_D}", tell) == ("b\n2\n", "Interrupted.\n")


def test_the_shells_own_commands(type_in, db):
    said, wrong = type_in(f".tables{ENTER}.quit{ENTER}select 1;{ENTER}")
    assert (said.split(), wrong) == ([name for (name,) in db.sql("select name from (show tables)").fetchall()], "")
    said, wrong = type_in(f".schema milestones{ENTER}{CTRL_D}")
    assert said.startswith("column_name,column_type\norder_id,VARCHAR\n")
    said, wrong = type_in(f".help{ENTER}{CTRL_D}")
    assert all(command in said for command in shell.COMMANDS)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (".schema", "Say which: .schema NAME."),
        ('.schema nope"; --', 'There is no table or view nope"; --.'),
        (".nope", "There is no command .nope; .help tells what there is."),
        (".tables all", "There is no command .tables; .help tells what there is."),
    ],
)
def test_a_wrong_command_is_one_sentence(type_in, typed, sentence):
    assert type_in(f"{typed}{ENTER}{CTRL_D}") == ("", f"{sentence}\n")


def test_what_was_typed_comes_back_in_the_next_shell_and_is_for_nobody_else(type_in, state):
    type_in(f"select 41{ENTER}+ 1 as answer;{ENTER}{CTRL_D}")
    assert type_in(f"{UP}{ENTER}{CTRL_D}")[0] == "answer\n42\n"
    file = state / "milepost" / "sql_history"
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


def test_history_that_others_could_read_is_closed_to_them(type_in, state):
    file = state / "milepost" / "sql_history"
    file.parent.mkdir(parents=True)
    file.touch(mode=0o644)
    type_in(CTRL_D)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_a_state_folder_it_is_the_one_at_home(type_in, tmp_path, monkeypatch):
    for folder in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", folder)
        monkeypatch.setenv("HOME", str(tmp_path))
        type_in(f"select 1;{ENTER}{CTRL_D}")
    assert "select 1;" in (tmp_path / ".local/state/milepost/sql_history").read_text(encoding="utf-8")


def test_where_history_cannot_be_kept_the_shell_works_without(type_in, state):
    state.write_text("a file in its place", encoding="utf-8")
    said, wrong = type_in(f"select 1 as a;{ENTER}{CTRL_D}")
    assert (said, wrong) == ("a\n1\n", "History is not kept: Not a directory.\n")


@pytest.mark.parametrize(
    ("before", "among", "not_among"),
    [
        ("select tracking_n", {"tracking_number"}, {"milestones"}),
        ("sel", {"select"}, {"order_id"}),
        ("SEL", {"SELECT"}, {"select"}),
        ("select * from mile", {"milestones"}, {"milestone"}),
        ("select * from events, mile", {"milestones"}, {"milestone"}),
        ("from events join ord", {"order_status"}, {"order", "order_id"}),
        ("from ", {"parcels", "hub_legs", "scorecard("}, {"select", "order_id"}),
        ("select milestones.", {"milestone", "event_ts"}, {"carrier", "select"}),
        ("select m.carr", {"carrier"}, {"carrier_scanned"}),
        ("select hor", {"horizon("}, set()),
        ("", set(), {"select"}),
        (".s", {".schema"}, {".tables", "select"}),
        (".schema ev", {"events"}, {"event_id"}),
    ],
)
def test_what_is_begun_is_completed_by_what_fits(db, before, among, not_among):
    given = {one.text for one in shell.LakeWords(db).get_completions(Document(before), CompleteEvent())}
    assert among <= given
    assert not not_among & given


def test_a_real_terminal(db, lake, state):
    """Type into the command as it is installed, through a pseudo terminal."""
    ours, theirs = pty.openpty()
    program = "import sys; from pipelines.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "sql", "--lake", str(lake.path), "--format", "csv"]
    environment = os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    shown = ""

    def await_text(wanted):
        # What is typed before the next prompt would be the terminal's, not the shell's: prompts are awaited, too.
        nonlocal shown
        while wanted not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown):
            ready, _, _ = select.select([ours], [], [], 60)
            assert ready, f"nothing more came after {shown!r}"
            shown += os.read(ours, 65536).decode()

    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as running:
        os.close(theirs)
        try:
            await_text("milepost>")
            os.write(ours, b"select 6 * 7\r")
            await_text("...>")
            os.write(ours, b"as answer, upper(milestone) as m from first_m\t")
            shown = ""
            await_text("ilestones")
            os.write(ours, b";\r")
            await_text("answer,m\r\n42,PICKED\r\n")
            shown = shown.partition("42,PICKED")[2]
            await_text("milepost>")
            os.write(ours, b"selekt;\r")
            await_text("Parser Error")
            shown = shown.partition("Parser Error")[2]
            await_text("milepost>")
            os.write(ours, b"\x04")
            assert running.wait(60) == 0
        finally:
            running.kill()
            os.close(ours)
    assert "Traceback" not in shown
