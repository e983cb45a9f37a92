"""A Flink cluster, asked by its REST interface: which jobs run there, how one does, and to stop one."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from pipelines.errors import UsageError

PATIENCE = 120
"""Seconds that a savepoint may take, or a cluster be away."""
LOOK = 2.0
"""Seconds between two looks at a job."""

OVER = ("FINISHED", "CANCELED", "FAILED")


class Cluster:
    """A cluster by the address of its REST interface, as host:port."""

    def __init__(self, master: str) -> None:
        """Take the address."""
        self.master = master

    def running(self, name: str | None = None) -> list[str]:
        """Give the ids of the jobs that are not over; with `name`, of those so named.

        Raises:
            UsageError: there is no cluster.
        """
        told = self._ask("/jobs/overview")
        if not isinstance(told, dict) or "jobs" not in told:
            raise UsageError(f"What answers at {self.master} is no Flink.")
        return [one["jid"] for one in told["jobs"] if one["state"] not in OVER and name in (None, one["name"])]

    def watch(self, job: str) -> None:
        """Wait for the end of a job.

        Raises:
            RuntimeError: it failed, or the cluster is gone.
        """
        heard = time.monotonic()
        while True:
            try:
                state = self._ask(f"/jobs/{job}")["state"]
                heard = time.monotonic()
            except UsageError as fault:
                if time.monotonic() - heard > PATIENCE:
                    raise RuntimeError(str(fault)) from fault
                state = ""
            if state == "FAILED":
                raise RuntimeError(f"The job {job} failed: {_root(self._ask(f'/jobs/{job}/exceptions'))}.")
            if state in OVER:
                return
            time.sleep(LOOK)

    def stop(self, job: str | None = None, savepoints: str | None = None) -> str:
        """Stop a job with a savepoint; give where it lies.

        Args:
            job: which one; needed where several run.
            savepoints: folder for the savepoint; default the cluster's own.

        Raises:
            UsageError: there is no such job, or no cluster.
            RuntimeError: the savepoint failed.
        """
        running = self.running()
        if job is None and len(running) == 1:
            (job,) = running
        if job not in running:
            raise UsageError(
                f"{'Say which' if job is None else 'There is no such'} job to stop (--job):"
                f" running at {self.master}: {', '.join(running) or 'none'}."
            )
        # Not drained: that would push the watermark to infinity, and every deadline would fire.
        asked = {"drain": False, **({"targetDirectory": savepoints} if savepoints else {})}
        request = self._ask(f"/jobs/{job}/stop", asked)["request-id"]
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            told = self._ask(f"/jobs/{job}/savepoints/{request}")
            if told["status"]["id"] == "COMPLETED":
                operation = told["operation"]
                if "location" not in operation:
                    raise RuntimeError(f"The savepoint of job {job} failed: {_root(operation['failure-cause'])}.")
                return str(operation["location"])
            time.sleep(0.5)
        raise RuntimeError(f"The savepoint of job {job} took longer than {PATIENCE} s; it may still come.")

    def _ask(self, path: str, body: object = None) -> Any:  # noqa: ANN401
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(f"http://{self.master}{path}", data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as fault:
            raise UsageError(f"Flink at {self.master} has no such job.") from fault
        except (OSError, ValueError, http.client.HTTPException) as fault:
            raise UsageError(f"There is no Flink at {self.master}.") from fault


def _root(told: Mapping[str, Any]) -> str:
    """Give the root of what Flink complained of."""
    trace = str(told.get("stack-trace") or told.get("root-exception") or "no reason given")
    causes = [line for line in trace.splitlines() if line.startswith("Caused by: ")]
    return (causes or trace.splitlines())[-1].removeprefix("Caused by: ").rstrip(".")
