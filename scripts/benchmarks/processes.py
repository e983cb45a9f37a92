"""Run a program as a process of its own, and measure it."""

import os
import subprocess
import sys
import time
from typing import NamedTuple


class Run(NamedTuple):
    """One finished process, or several run one after the other."""

    seconds: float
    cpu: float
    """Seconds of all its threads, its children's too: unlike wall time, no neighbour on the machine changes it."""
    peak_mib: float

    def then(self, other: "Run") -> "Run":
        """Give both as one: their seconds added, and the higher peak."""
        return Run(self.seconds + other.seconds, self.cpu + other.cpu, max(self.peak_mib, other.peak_mib))


def run(*command: str) -> Run:
    """Run a command as a process of its own; give its times, and the peak memory of its largest process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{said.decode()}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
