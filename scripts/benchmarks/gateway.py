"""The gateway on one core, beside a loop written by hand that only takes bodies and writes them down in groups."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import rich

SENDER = "easypost"
"""Signs each body and repeats the whole history of its parcel: the dearest of those that come often."""
RATE = 500
SECRET = {"BENCH_SECRET": "a secret of the benchmark"}
CONNECTIONS = 48
CONFIG = f"""
[sender.{SENDER}]
secrets = ["BENCH_SECRET"]
rate = 1000000
burst = 1000000
"""


class Served(NamedTuple):
    """A server under load: updates a second as many as go, the figures at RATE, and its peak memory."""

    per_second: float
    per_cpu_second: float
    """Updates in a second that it has its core for itself: unlike those of the clock, no neighbour changes it."""
    at_rate: dict[str, Any]
    peak_mib: float


def bench_gateway(work: Path, seconds: int) -> dict[str, float]:
    """Load the gateway on one core from another, and then the loop; all fsynced before they answer.

    Args:
        work: an empty folder.
        seconds: of each load.
    """
    config = work / "gateway.toml"
    config.write_text(CONFIG)
    gateway = (
        "-m",
        "pipelines",
        "gateway",
        "--publish",
        f"spool://{work}/spool",
        "--config",
        str(config),
        "--port",
        "0",
    )
    ours = _measure(work / "gateway.log", gateway, config, seconds)
    loop = _measure(work / "loop.log", ("-m", "scripts.benchmarks.gateway_loop", str(work / "loop")), config, seconds)
    for name, one in (("gateway", ours), ("loop", loop)):
        rich.get_console().print(
            f"{name:>8}: {one.per_second:>7,.0f} updates/s, {one.per_cpu_second:,.0f} a CPU second,"
            f" {one.peak_mib:,.0f} MiB; at {RATE}/s p50"
            f" {one.at_rate['p50_ms']} ms, p95 {one.at_rate['p95_ms']} ms, p99 {one.at_rate['p99_ms']} ms",
            soft_wrap=True,
        )
    return {
        "events_per_s": round(ours.per_second),
        "baseline_events_per_s": round(loop.per_second),
        "ratio": round(loop.per_second / ours.per_second, 2),
        "events_per_cpu_s": round(ours.per_cpu_second),
        "baseline_events_per_cpu_s": round(loop.per_cpu_second),
        "peak_rss_mib": round(ours.peak_mib),
        "baseline_peak_rss_mib": round(loop.peak_mib),
        **{f"{share}_ms_at_{RATE}_per_s": ours.at_rate[f"{share}_ms"] for share in ("p50", "p95", "p99")},
    }


def _measure(log: Path, words: tuple[str, ...], config: Path, seconds: int) -> Served:
    cores = sorted(os.sched_getaffinity(0))
    with _served(log, words, cores[0]) as (port, process):
        _load(port, config, cores[-1], 0, 2)
        at_rate = _load(port, config, cores[-1], RATE, seconds)
        before = _cpu(process.pid)
        most = _load(port, config, cores[-1], 0, seconds)
        used = _cpu(process.pid) - before
        peak = _peak_mib(process.pid)
    return Served(float(most["accepted_per_s"]), float(most["accepted"]) / used, at_rate, peak)


@contextmanager
def _served(log: Path, words: tuple[str, ...], core: int) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Run a server on one core; give its port, which it says in a line of JSON."""
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, *words], stderr=file, env=os.environ | SECRET)
    os.sched_setaffinity(process.pid, {core})
    try:
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            for line in log.read_text().splitlines():
                with suppress(ValueError, KeyError):
                    yield json.loads(line)["port"], process
                    return
            time.sleep(0.05)
        sys.exit(f"{' '.join(words)} did not start:\n{log.read_text()}")
    finally:
        process.terminate()
        process.wait(30)


def _load(port: int, config: Path, core: int, rate: int, seconds: int) -> dict[str, Any]:
    command = ("taskset", "--cpu-list", str(core), sys.executable, "-m", "pipelines", "load")
    url = f"http://127.0.0.1:{port}"
    words = ("--url", url, "--config", str(config), "--json", "--rate", str(rate), "--seconds", str(seconds))
    done = subprocess.run(
        [*command, *words, "--connections", str(CONNECTIONS)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | SECRET,
    )
    if done.returncode:
        sys.exit(f"The load failed:\n{done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout)
    if figures["accepted"] != figures["updates"]:
        sys.exit(f"Not all was taken: {figures['answers']}")
    return figures


def _cpu(pid: int) -> float:
    """Give the seconds of CPU that a process has used, all its threads."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int) -> float:
    said = Path(f"/proc/{pid}/status").read_text()
    return int(said.partition("VmHWM:")[2].split()[0]) / 1024
