"""`scripts/bench NAME`: generate, run both in turn as processes of their own, and print events/s, ratio and memory."""

import argparse
import json
import shutil
import signal
import tempfile
from pathlib import Path

import rich

from pipelines.arguments import up_to
from scripts.benchmarks.gateway import bench_gateway
from scripts.benchmarks.latency import bench_latency
from scripts.benchmarks.live import bench_live
from scripts.benchmarks.nightly import bench_nightly
from scripts.benchmarks.reports import Measured, bench_reports
from scripts.benchmarks.soak import bench_soak
from scripts.servers import terminated


def main() -> None:
    """Run one benchmark; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("name", choices=["live", "nightly", "reports", "latency", "soak", "gateway"])
    parser.add_argument("--events", type=up_to(100_000_000), help="live events; default 1 million, of `reports` 10")
    parser.add_argument("--scans", type=up_to(100_000_000), default=5_000_000, help="hub scans, of `nightly`")
    parser.add_argument(
        "--seconds", type=up_to(86_400), help="of each load, of `latency` (60), `soak` (900) and `gateway` (10)"
    )
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, terminated)
    work = Path(tempfile.mkdtemp(prefix="milepost-bench-"))
    if args.json:
        rich.get_console().quiet = True
    try:
        print(json.dumps(_measure(args, work)))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _measure(args: argparse.Namespace, work: Path) -> dict[str, float] | Measured:
    match args.name:
        case "live":
            return bench_live(work, args.events or 1_000_000)
        case "nightly":
            return bench_nightly(work, args.scans, args.events or 1_000_000)
        case "reports":
            return bench_reports(work, args.events or 10_000_000)
        case "latency":
            return bench_latency(work, args.seconds or 60)
        case "soak":
            return bench_soak(work, args.seconds or 900)
        case _:
            return bench_gateway(work, args.seconds or 10)


if __name__ == "__main__":
    main()
