"""`scripts/bench NAME`: generate, run both in turn as processes of their own, and print events/s, ratio and memory."""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import rich

from pipelines.arguments import up_to
from scripts.benchmarks.gateway import bench_gateway
from scripts.benchmarks.latency import bench_latency
from scripts.benchmarks.live import bench_live
from scripts.benchmarks.nightly import bench_nightly
from scripts.benchmarks.soak import bench_soak


def main() -> None:
    """Run one benchmark; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("name", choices=["live", "nightly", "latency", "soak", "gateway"])
    parser.add_argument("--events", type=up_to(100_000_000), default=1_000_000, help="live events")
    parser.add_argument("--scans", type=up_to(100_000_000), default=5_000_000, help="hub scans, of `nightly`")
    parser.add_argument(
        "--seconds", type=up_to(86_400), help="of each load, of `latency` (60), `soak` (300) and `gateway` (10)"
    )
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="milepost-bench-"))
    if args.json:
        rich.get_console().quiet = True
    try:
        print(json.dumps(_measured(work, args)))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _measured(work: Path, args: argparse.Namespace) -> dict[str, float]:
    match args.name:
        case "live":
            return bench_live(work, args.events)
        case "nightly":
            return bench_nightly(work, args.scans, args.events)
        case "latency":
            return bench_latency(work, args.seconds or 60)
        case "soak":
            return bench_soak(work, args.seconds or 300)
        case _:
            return bench_gateway(work, args.seconds or 10)


if __name__ == "__main__":
    main()
