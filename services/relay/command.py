"""The command `milepost relay`: send what the outbox holds."""

import argparse
import logging
import signal
import sys
import threading
from types import FrameType

from prometheus_client import start_http_server

from pipelines.arguments import up_to
from pipelines.errors import UsageError
from services.relay.config import read_config
from services.relay.relay import LOG, Relay
from transforms.tell.stores import migrate

HOST = "127.0.0.1"


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `relay` to the commands."""
    parser = commands.add_parser("relay", help="send the news that the outbox holds", allow_abbrev=False)
    parser.add_argument(
        "--outbox",
        required=True,
        metavar="DSN",
        help="a DSN of Postgres (its password by PGPASSWORD), or sqlite:///PATH",
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="TOML file of channels")
    parser.add_argument(
        "--metrics", type=up_to(65_535), metavar="PORT", help="serve /metrics for Prometheus on this loopback port"
    )
    parser.add_argument("--drain", action="store_true", help="end when nothing is due")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    config = read_config(args.config)
    migrate(args.outbox)
    relay = Relay(config, args.outbox, drain=args.drain)
    _talk()

    def end(number: int, frame: FrameType | None) -> None:
        relay.stop.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
    if args.metrics is None:
        relay.run()
        return 0
    try:
        server, thread = start_http_server(args.metrics, HOST, relay.metrics.registry)
    except OSError as fault:
        raise UsageError(f"The port {args.metrics} cannot be used: {fault.strerror}.") from fault
    try:
        relay.run()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    return 0


def _talk() -> None:
    """Write the relay's own lines to stderr, one JSON object each; the rest of the process stays quiet."""
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    if not LOG.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOG.addHandler(handler)
