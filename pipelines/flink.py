"""Flink for runs that do not end: options that lose nothing, and how to stop a job so that it can go on later.

Figures behind the defaults: without a limit on a bundle's time a checkpointed job may give nothing for tens of seconds,
and each timer of portable Flink costs about 20 ms, so timers lie on a grid (`Source.grid`).
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.engine import FLINK
from pipelines.errors import UsageError

DEFAULTS: dict[str, object] = {
    "streaming": True,
    "checkpointing_interval": 10_000,
    "max_bundle_time_mills": 200,
    "max_bundle_size": 1_000,
}
"""Of an unbounded run, unless they are given: milliseconds where they are times."""

_PATIENCE = 120
"""Seconds that a savepoint may take."""


def unbounded_options(options: PipelineOptions, *, ends: bool = False) -> PipelineOptions:
    """Give options with what an unbounded run needs.

    Args:
        options: as they are given.
        ends: it is a trial whose sources end by themselves, and the job with them.

    Raises:
        UsageError: they would lose data, or the runner cannot do it.
    """
    runner = options.view_as(StandardOptions).runner
    if runner not in FLINK:
        raise UsageError(
            "A source that does not end needs --runner=FlinkRunner: on the DirectRunner deadlines would fire too early."
        )
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    if "shutdown_sources_after_idle_ms" in given:
        raise UsageError("--shutdown_sources_after_idle_ms ends a job before it has told all that it read.")
    interval = given.get("checkpointing_interval")
    if interval is not None and int(interval) <= 0:
        raise UsageError("Without checkpoints nothing is ever acknowledged: --checkpointing_interval must be above 0.")
    idle = {"shutdown_sources_after_idle_ms": 1_000} if ends else {}
    words = [
        f"--{name}={value}" for name, value in (DEFAULTS | idle).items() if name not in given and value is not True
    ]
    added = PipelineOptions([*words, "--streaming"]).get_all_options(drop_default=True, retain_unknown_options=True)
    return options.from_dictionary({**added, **given})


def stop(master: str, job: str | None = None, savepoints: str | None = None) -> str:
    """Stop a job with a savepoint; give where it lies.

    Args:
        master: REST address of the cluster, as host:port.
        job: which one; needed where several run.
        savepoints: folder for the savepoint; default the cluster's own.

    Raises:
        UsageError: there is no such job, or no cluster.
        RuntimeError: the savepoint failed.
    """
    if job is None:
        running = [one["jid"] for one in _ask(master, "/jobs/overview")["jobs"] if one["state"] == "RUNNING"]
        if len(running) != 1:
            told = "none" if not running else ", ".join(running)
            raise UsageError(f"Say which job to stop (--job): running at {master}: {told}.")
        (job,) = running
    # Not drained: that would push the watermark to infinity, and every deadline would fire.
    asked = {"drain": False, **({"targetDirectory": savepoints} if savepoints else {})}
    request = _ask(master, f"/jobs/{job}/stop", asked)["request-id"]
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        told = _ask(master, f"/jobs/{job}/savepoints/{request}")
        if told["status"]["id"] == "COMPLETED":
            operation = told["operation"]
            if "location" not in operation:
                raise RuntimeError(f"The savepoint of job {job} failed: {_root(operation)}.")
            return str(operation["location"])
        time.sleep(0.5)
    raise RuntimeError(f"The savepoint of job {job} took longer than {_PATIENCE} s; it may still come.")


def _root(operation: Mapping[str, Any]) -> str:
    trace = str(operation.get("failure-cause", {}).get("stack-trace", "no reason given"))
    causes = [line for line in trace.splitlines() if line.startswith("Caused by: ")]
    return (causes or trace.splitlines())[-1].removeprefix("Caused by: ")


def _ask(master: str, path: str, body: object = None) -> Any:  # noqa: ANN401
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{master}{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as fault:
        raise UsageError(f"Flink at {master} has no such job.") from fault
    except OSError as fault:
        raise UsageError(f"There is no Flink at {master}.") from fault
