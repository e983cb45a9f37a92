"""`scripts/bench NAME`: generate, run both in turn as processes of their own, and print events/s, ratio and memory."""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import rich

from scripts.benchmarks.gateway import bench_gateway
from scripts.benchmarks.live import bench_live
from scripts.benchmarks.nightly import bench_nightly


def main() -> None:
    """Run one benchmark; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("name", choices=["live", "nightly", "gateway"])
    parser.add_argument("--events", type=int, default=1_000_000, help="live events")
    parser.add_argument("--scans", type=int, default=5_000_000, help="hub scans, of `nightly`")
    parser.add_argument("--seconds", type=int, default=10, help="of each load, of `gateway`")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="milepost-bench-"))
    if args.json:
        rich.get_console().quiet = True
    try:
        if args.name == "live":
            measured = bench_live(work, args.events)
        elif args.name == "gateway":
            measured = bench_gateway(work, args.seconds)
        else:
            measured = bench_nightly(work, args.scans, args.events)
        print(json.dumps(measured))
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
