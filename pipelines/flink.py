"""Flink for runs that do not end: options that lose nothing, in one place.

Figures behind the defaults: without a limit on a bundle's time a checkpointed job may give nothing for tens of seconds,
and each timer of portable Flink costs about 20 ms, so timers lie on a grid (`Source.grid`).
"""

import hashlib
import os
import shutil
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.checkpoints import Checkpoints
from pipelines.engine import FLINK
from pipelines.errors import UsageError

DEFAULTS: dict[str, object] = {
    "checkpointing_interval": 10_000,
    "max_bundle_time_mills": 200,
    "max_bundle_size": 1_000,
    # Else what a bundle gives during a checkpoint waits for the step's next bundle. The step that splits a source gets
    # a single element: when the first checkpoint met it, the source was never read, without a word.
    "finish_bundle_before_checkpointing": True,
    # In the workers' own memory, and whole in each checkpoint: what is open is small.
    "state_backend": "filesystem",
    # Flink's own default waits longer after each failure, up to a minute.
    "number_of_execution_retries": 2_147_483_647,
    "execution_retry_delay": 2_000,
    # Kept, an environment whose worker has died would be given to the job that begins again.
    "environment_cache_millis": 0,
    # A job that is killed as a whole leaves its last checkpoint.
    "externalized_checkpoints_enabled": True,
    "retain_externalized_checkpoints_on_cancellation": True,
}
"""Of an unbounded run, unless they are given: milliseconds where they are times."""

LONGEST = 600_000
"""Milliseconds between two checkpoints at most: so long a source keeps what was read, and a kill takes back."""


def unbounded_options(options: PipelineOptions, lake: str, checkpoints: Checkpoints) -> PipelineOptions:
    """Give options with what an unbounded run needs.

    Args:
        options: as they are given.
        lake: names the job.
        checkpoints: where its state goes.

    Raises:
        UsageError: they would lose data, or the runner cannot do it, or something is missing.
    """
    runner = options.view_as(StandardOptions).runner
    if runner not in FLINK:
        raise UsageError(
            "A source that does not end needs --runner=FlinkRunner: on the DirectRunner deadlines would fire too early."
        )
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    if "shutdown_sources_after_idle_ms" in given:
        # Measured: from then on Flink takes no checkpoint any more.
        raise UsageError("--shutdown_sources_after_idle_ms would end the checkpoints of a source that never ends.")
    _check_interval(str(given.get("checkpointing_interval", DEFAULTS["checkpointing_interval"])))
    if runner == "FlinkRunner":
        _check_there(given)
    # A cluster may see other folders than this machine.
    savepoint = given.get("savepoint_path")
    if savepoint and master_of(options) is None and not Path(str(savepoint).removeprefix("file:")).exists():
        raise UsageError(f"There is no savepoint at {savepoint}.")
    wanted = {
        **DEFAULTS,
        "job_name": job_name(lake),
        "state_backend_storage_path": checkpoints.uri,
    }
    words = [
        f"--{name}" if value is True else f"--{name}={value}" for name, value in wanted.items() if name not in given
    ]
    added = PipelineOptions([*words, "--streaming"]).get_all_options(drop_default=True, retain_unknown_options=True)
    return options.from_dictionary({**added, **given})


def job_name(lake: str) -> str:
    """Give the name of a lake's job, by which it is found on a cluster."""
    place = hashlib.blake2b(str(Path(lake).resolve()).encode(), digest_size=6).hexdigest()
    return f"milepost-live-{place}"


def master_of(options: PipelineOptions) -> str | None:
    """Give the REST address of the cluster that options name; None where Flink is embedded."""
    master = options.get_all_options(retain_unknown_options=True).get("flink_master")
    if master is None or str(master).startswith("["):
        return None
    return str(master).removeprefix("http://").rstrip("/")


def _check_interval(text: str) -> None:
    if not text.lstrip("-").isdecimal() or not 0 < int(text) <= LONGEST:
        raise UsageError(
            f"--checkpointing_interval must be from 1 to {LONGEST} milliseconds:"
            " without checkpoints nothing is ever acknowledged, and a kill loses what was read."
        )


def _check_there(given: dict[str, object]) -> None:
    """Say what is missing before anything is started."""
    jar = given.get("flink_job_server_jar")
    if jar is None:
        # Beam would fetch one of its own version, for a Flink that is not this one.
        raise UsageError("Say what takes jobs for Flink: --flink_job_server_jar=FILE, which scripts/flink/setup makes.")
    if not Path(str(jar)).is_file():
        raise UsageError(f"There is no job server at {jar}; scripts/flink/setup makes one.")
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else None
    if not (java.is_file() if java else shutil.which("java")):
        raise UsageError("Flink needs Java 17, and there is no java here; install it, or set JAVA_HOME.")
