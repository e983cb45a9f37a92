"""The command `milepost relay`: send what the outbox holds."""

import argparse

from prometheus_client import start_http_server

from pipelines.arguments import listener
from pipelines.errors import UsageError
from pipelines.log import talk
from services.relay.config import read_config
from services.relay.relay import LOG, Relay
from services.signals import on_end
from transforms.tell.stores import migrate


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
        "--metrics", type=listener, metavar="[HOST:]PORT", help="serve /metrics for Prometheus; default on loopback"
    )
    parser.add_argument("--drain", action="store_true", help="end when nothing is due")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    config = read_config(args.config)
    migrate(args.outbox)
    relay = Relay(config, args.outbox, drain=args.drain)
    talk(LOG.name)

    with on_end(relay.stop.set):
        if args.metrics is None:
            relay.run()
            return 0
        try:
            server, thread = start_http_server(args.metrics.port, args.metrics.host, relay.metrics.registry)
        except OSError as fault:
            raise UsageError(f"The port {args.metrics.port} cannot be used: {fault.strerror}.") from fault
        try:
            relay.run()
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
    return 0
