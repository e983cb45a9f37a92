"""The command `milepost load`: send to a gateway on this machine what carriers would send."""

import argparse
import asyncio
import ipaddress
import json
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.arguments import up_to
from pipelines.errors import UsageError
from schemas.clock import WALL
from services.gateway.config import GatewayConfig, read_config, read_secrets
from services.load.parcels import Parcel, Request
from services.load.retries import retries
from services.load.run import Load, Plan, Sender
from services.load.shapes import SHAPES, Shape


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `load` to the commands."""
    parser = commands.add_parser(
        "load", help="send to a gateway on this machine what carriers would send", allow_abbrev=False
    )
    parser.add_argument("--url", required=True, help="the gateway, such as http://127.0.0.1:8080; this machine's only")
    parser.add_argument("--config", required=True, metavar="FILE", help="the gateway's file, whose senders are played")
    parser.add_argument("--sender", nargs="+", metavar="NAME", help="which of them (default: all that can be)")
    parser.add_argument("--rate", type=float, default=500.0, help="updates a second; 0: as many as go (default: 500)")
    parser.add_argument("--seconds", type=up_to(86_400), default=10, help="for how long (default: %(default)s)")
    parser.add_argument(
        "--requests", type=up_to(1_000_000_000), default=None, metavar="N", help="at most so many updates"
    )
    parser.add_argument("--connections", type=up_to(10_000), default=32, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--hasten", type=float, default=1.0, metavar="N", help="wait 1/N as long before trying again")
    parser.add_argument("--ledger", metavar="FILE", help="note there what was accepted, in order")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import uvloop

    host, port = loopback(args.url)
    if args.rate < 0 or args.hasten <= 0:
        raise UsageError("--rate must not be below 0, and --hasten must be above it.")
    senders = play(read_config(args.config), args.sender)
    plan = Plan(args.rate, args.seconds, args.requests or 0, args.connections, args.hasten)
    with ExitStack() as stack:
        ledger = stack.enter_context(Path(args.ledger).open("wb")) if args.ledger else None
        load = Load(host, port, senders, plan, ledger)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            figures = runner.run(load.run())
    _print(figures, as_json=args.json)
    return 0


def loopback(url: str) -> tuple[str, int]:
    """Give host and port of a gateway on this machine.

    Raises:
        UsageError: it is on another: a load on somebody else's machine is an attack.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port or 80
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local or parts.scheme != "http" or parts.path not in ("", "/"):
        raise UsageError(f"{url} is no gateway on this machine; write http://127.0.0.1:PORT.")
    return host, port


def play(config: GatewayConfig, names: list[str] | None) -> list[Sender]:
    """Give senders of a configuration as the generator plays them.

    Raises:
        UsageError: one is not there, or cannot be played, or its secret is not set.
    """
    there = config.senders()
    wanted = names or [name for name, one in there.items() if one.kind in SHAPES]
    if not wanted:
        raise UsageError("There is no sender that can be played.")
    played = []
    for name in wanted:
        if name not in there:
            raise UsageError(f"There is no sender {name} in the file; there are {', '.join(sorted(there))}.")
        one = there[name]
        if one.kind not in SHAPES:
            raise UsageError(f"{one.kind} cannot be played; {', '.join(sorted(SHAPES))} can.")
        shape: Shape = SHAPES[one.kind]
        request = partial(_request, shape, read_secrets(one.secrets)[0], dict(one.options))
        played.append(Sender(name, f"/webhooks/{name}", request, retries(one.kind)))
    return played


def _request(shape: Shape, secret: str, options: dict[str, object], parcel: Parcel, step: int) -> Request:
    return shape(parcel, step, secret, options, WALL.now())


def _print(figures: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        sys.stdout.write(f"{name:<16} {value if not isinstance(value, float) else f'{value:,}'}\n")
