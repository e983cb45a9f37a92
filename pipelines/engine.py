"""Which engine runs a graph, by name: Beam's default picks one by what the graph holds, and even by the network."""

import gc
import os
import re
from collections.abc import Callable, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions, WorkerOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult, create_runner
from apache_beam.runners.worker import sdk_worker

from pipelines.errors import UsageError
from pipelines.progress import Progress

OURS = (None, "DirectRunner", "FnApiRunner")
"""Names by which the DirectRunner's FnApi engine is meant."""

FLINK = ("FlinkRunner", "PortableRunner")
"""Runners that hand options on to Flink."""

FLINK_OPTIONS = {
    "allow_non_restored_state", "checkpoint_timeout_millis", "checkpointing_interval", "checkpointing_mode",
    "disable_metrics", "execution_mode_for_batch", "execution_retry_delay", "externalized_checkpoints_enabled",
    "fail_on_checkpointing_errors", "faster_copy", "finish_bundle_before_checkpointing", "jobs_name",
    "max_bundle_size", "max_bundle_time_mills", "min_pause_between_checkpoints", "num_concurrent_checkpoints",
    "number_of_execution_retries", "object_reuse", "operator_chaining", "re_iterable_group_by_key_result",
    "retain_externalized_checkpoints_on_cancellation", "savepoint_path", "shutdown_sources_after_idle_ms",
    "state_backend", "state_backend_storage_path", "unaligned_checkpoint_enabled",
}  # fmt: skip
"""Options of Flink's own runner that Beam's Python side does not list."""

_RAISED = re.compile(r"^[\w.]+: (.+?)(?: \[while running '[^']*'\])?$", re.MULTILINE)


def beam_options(rest: Sequence[str]) -> PipelineOptions:
    """Read the options that a command does not know itself as Beam's.

    Raises:
        UsageError: Beam does not know one of them either.
    """
    options = PipelineOptions(list(rest))
    known = options.get_all_options().keys()
    if options.view_as(StandardOptions).runner in FLINK:
        known |= FLINK_OPTIONS
    for word in rest:
        name = word.lstrip("-").split("=")[0].removeprefix("no_").replace("-", "_")
        if word.startswith("-") and name not in known:
            raise UsageError(f"Neither Milepost nor Beam knows the option {word}.")
    values = {str(value) for value in options.get_all_options(drop_default=True).values()}
    for word in rest:
        if not word.startswith("-") and not any(word in value for value in values):
            raise UsageError(f"There is no use for {word!r} here.")
    if (options.view_as(DirectOptions).direct_num_workers or 0) < 0:
        raise UsageError("--direct_num_workers must be 0, for as many as there are cores, or above.")
    named = options.view_as(StandardOptions).runner
    if named not in OURS:
        # Asked now, before anything is made for a run that cannot begin.
        try:
            create_runner(named)
        except (ValueError, ImportError, AttributeError) as fault:
            raise UsageError(f"Beam knows no runner {named}.") from fault
    return options


def run_graph(
    build: Callable[[beam.Pipeline], None],
    options: PipelineOptions,
    title: str,
    threads: int = 1,
    *,
    plain: bool = True,
) -> dict[str, int]:
    """Build a graph, run it to its end, and give its counters.

    Args:
        build: wires the graph onto a pipeline's root.
        options: Beam's options; the DirectRunner means its FnApi engine.
        title: what the progress line says.
        threads: on the DirectRunner, how many do the work unless an option says so; more than one only where the steps
            are few and long, since what passes between them then goes by a socket.
        plain: whether to say how far it is where there is no terminal.
    """
    named = options.view_as(StandardOptions).runner
    runner = FnApiRunner() if named in OURS else named
    if isinstance(runner, FnApiRunner):
        options.view_as(StandardOptions).runner = None
        if threads > 1 and "direct_num_workers" not in options.get_all_options(drop_default=True):
            direct = options.view_as(DirectOptions)
            direct.direct_num_workers, direct.direct_running_mode = threads, "multi_threading"
    worker = options.view_as(WorkerOptions)
    if "max_cache_memory_usage_mb" not in options.get_all_options(drop_default=True):
        # State is read once a batch and lives on in our own objects: weighing it for a cache costs more than it saves.
        worker.max_cache_memory_usage_mb = 0
    if not os.environ.get("MILEPOST_TRACEBACK"):
        # Besides handing on what a worker raised, Beam prints it with all that led to it, past any logger.
        sdk_worker.print = _say_nothing
    pipeline = beam.Pipeline(runner=runner, options=options)
    build(pipeline)
    # Parcels in mind are many and long-lived: with Python's default the collector would walk them all, again and again.
    gc.set_threshold(100_000, 50, 1_000)
    with Progress(title, plain=plain) as progress:
        progress.watch()
        try:
            result: PipelineResult = pipeline.run()
            result.wait_until_finish()
        except RuntimeError as fault:
            # A worker that is not of this thread hands its traceback on as text.
            said = _RAISED.findall(str(fault))
            if fault.__cause__ or not said:
                raise
            raise RuntimeError(said[-1]) from None
    counted = result.metrics().query()["counters"]
    return {str(one.key.metric.name): int(one.committed or one.attempted or 0) for one in counted}


def _say_nothing(*said: object, **how: object) -> None:
    """Take the place of `print`."""
