"""The options with which Beam runs a graph on Flink; as a program, it runs a command of milepost with them.

    python -m scripts.flink.options live --input demo/shop/events.jsonl --lake demo/lake

Options given by hand come later in the line, and so they count.
"""

import os
import signal
import sys
from pathlib import Path

from pipelines.cli import main
from scripts.servers import terminated

JOB_SERVER = Path(__file__).with_name("lib") / "job-server.jar"
"""What takes jobs for Flink; `scripts/flink/setup` makes it."""

HEAP = "-Xmx1g"
"""Of an embedded Flink, unless JAVA_TOOL_OPTIONS says otherwise."""

EMBEDDED = "[local]"
"""The cluster that a job server starts within itself, for one job."""


def flink_options(master: str = EMBEDDED, parallelism: int = 2) -> list[str]:
    """Give the options for a run on Flink, with this process as the worker.

    Args:
        master: REST address of a cluster.
        parallelism: slots that the job takes.
    """
    return [
        "--runner=FlinkRunner",
        f"--flink_job_server_jar={JOB_SERVER}",
        f"--flink_master={master}",
        f"--parallelism={parallelism}",
        "--environment_type=LOOPBACK",
    ]


if __name__ == "__main__":
    # Beam ends its job server at the exit of this process, but a signal alone is none.
    signal.signal(signal.SIGTERM, terminated)
    # Else Flink takes what it can get of the machine's memory before it looks for what is over.
    os.environ.setdefault("JAVA_TOOL_OPTIONS", HEAP)
    sys.exit(main([*sys.argv[1:2], *flink_options(), *sys.argv[2:]]))
