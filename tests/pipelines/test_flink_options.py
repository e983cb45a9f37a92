"""Options of a run that never ends: defaults that lose nothing, and what is refused."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.checkpoints import Checkpoints
from pipelines.cli import main
from pipelines.cluster import Cluster
from pipelines.errors import UsageError
from pipelines.flink import job_name, master_of, unbounded_options
from tests.services.relay.receiver import Receiver


def options(tmp_path, *words):
    """Give what becomes of some words."""
    jar = tmp_path / "job-server.jar"
    jar.touch()
    made = unbounded_options(
        PipelineOptions(["--runner=FlinkRunner", f"--flink_job_server_jar={jar}", *words]),
        str(tmp_path / "lake"),
        Checkpoints(tmp_path / "state"),
    )
    return made.get_all_options(drop_default=True, retain_unknown_options=True)


@pytest.fixture(autouse=True)
def _java(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))


def test_state_is_kept_where_the_next_run_looks(tmp_path):
    made = options(tmp_path)
    assert made["streaming"] and int(made["checkpointing_interval"]) == 10_000
    assert made["state_backend_storage_path"] == (tmp_path / "state").as_uri()
    assert made["job_name"] == job_name(str(tmp_path / "lake")) != job_name(str(tmp_path / "other"))


def test_what_is_given_counts(tmp_path):
    made = options(tmp_path, "--checkpointing_interval=3000", "--max_bundle_size=7")
    assert (int(made["checkpointing_interval"]), int(made["max_bundle_size"])) == (3000, 7)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--runner=DirectRunner", "needs --runner=FlinkRunner"),
        ("--shutdown_sources_after_idle_ms=1", "would end the checkpoints"),
        ("--checkpointing_interval=0", "from 1 to 600000"),
        ("--checkpointing_interval=-1", "from 1 to 600000"),
        ("--checkpointing_interval=soon", "from 1 to 600000"),
        ("--checkpointing_interval=9000000", "from 1 to 600000"),
        ("--flink_job_server_jar=/none/such.jar", "scripts/flink/setup"),
        ("--savepoint_path=/none/such", "There is no savepoint at /none/such"),
        ("--savepoint_path=file:/none/such", "There is no savepoint at file:/none/such"),
    ],
)
def test_what_would_lose_data_is_refused(tmp_path, word, said):
    with pytest.raises(UsageError, match=said):
        options(tmp_path, word)


def test_a_savepoint_of_a_cluster_may_be_where_this_machine_does_not_look(tmp_path):
    made = options(tmp_path, "--savepoint_path=/none/such", "--flink_master=host:8081")
    assert made["savepoint_path"] == "/none/such"


def test_without_what_takes_jobs_one_sentence_says_so(tmp_path):
    with pytest.raises(UsageError, match="Say what takes jobs for Flink"):
        unbounded_options(PipelineOptions(["--runner=FlinkRunner"]), str(tmp_path), Checkpoints(tmp_path / "state"))


def test_without_java_one_sentence_says_so(tmp_path, monkeypatch):
    (tmp_path / "bin" / "java").unlink()
    with pytest.raises(UsageError, match="needs Java"):
        options(tmp_path)
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs Java"):
        options(tmp_path)


@pytest.mark.parametrize(
    ("master", "found"),
    [("[local]", None), ("[auto]", None), ("host:8081", "host:8081"), ("http://host:8081/", "host:8081")],
)
def test_a_cluster_is_known_by_its_address(master, found):
    assert master_of(PipelineOptions([f"--flink_master={master}"])) == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stop"], "Say where Flink is"),
        (["stop", "--flink_master=[local]"], "Say where Flink is"),
        (["stop", "--flink_master", "127.0.0.1:1"], "no Flink at 127.0.0.1:1"),
        (["stop", "--flink_master=127.0.0.1:x"], "no Flink at"),
        (["stop", "--flink_master=a b"], "no Flink at"),
        (["stop", "--flink_master=127.0.0.1:1", "--nope"], "--nope"),
        (["stop", "--flink_master=127.0.0.1:1", "--input", "spool://x"], "no use for --input"),
        (["--input", "spool://x", "--lake", "l", "--job", "x"], "--job is for"),
        (["--input", "spool://x", "--lake", "l", "--outbox", ""], "has no name"),
        (["--input", "spool://x", "--lake", "l", "--postgres", ""], "has no name"),
        (["--input", "x.jsonl", "--lake", "l", "--fresh"], "no state"),
        (
            [
                "--input",
                "kafka://[::1/topic",
                "--lake",
                "l",
                "--runner=FlinkRunner",
                f"--flink_job_server_jar={__file__}",
            ],
            "is no source",
        ),
        (["--input", "spool://x", "--lake", "l", "--metrics", "x"], "PORT"),
    ],
)
def test_a_wrong_word_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, capsys, words, said):
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    try:
        code = main(["live", *words])
    except SystemExit as end:
        code = end.code
    told = capsys.readouterr().err
    assert code == 2 and said in told and "Traceback" not in told
    assert list(folder.iterdir()) == []


def test_another_server_is_no_flink():
    with Receiver(lambda _: 200) as other, pytest.raises(UsageError, match=r"no such job|no Flink"):
        Cluster(other.url.split("/")[2]).running()
