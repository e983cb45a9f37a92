"""The command `milepost desk`: the queue of alerts for those who work it off, and the customers' page."""

import argparse
import getpass
import ipaddress
import logging
import secrets
import sys
from pathlib import Path

from pipelines.arguments import Listener, listener
from pipelines.errors import UsageError
from pipelines.log import talk
from schemas.fields import SECOND
from services.desk.config import DeskConfig, read_config
from services.desk.passwords import hash_password
from services.desk.source import Source
from services.secrets import read_secret
from services.tokens import SHORTEST_SECRET, Links
from transforms.tell.store import SQLITE
from transforms.tell.stores import migrate


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `desk` to the commands."""
    parser = commands.add_parser(
        "desk", help="serve the queue of alerts and the customers' tracking page", allow_abbrev=False
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("serve", "link", "password"),
        default="serve",
        help="serve (the default), print a customer's link, or print the hash of a password for the file",
    )
    parser.add_argument("number", nargs="?", metavar="TRACKING_NUMBER", help="of link: whose")
    parser.add_argument("--order", metavar="ORDER_ID", help="of link: where several orders had the tracking number")
    live = parser.add_mutually_exclusive_group()
    live.add_argument("--postgres", metavar="DSN", help="database that `milepost live` tells how parcels stand; the"
                      " password is read from PGPASSWORD")  # fmt: skip
    live.add_argument("--outbox", metavar="FILE", help="the same in a file of SQLite")
    parser.add_argument("--lake", metavar="DIR", help="the lake's folder: the rest of an order's story; without a"
                        " database all there is to read")  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="TOML file of people, secrets and limits")
    parser.add_argument(
        "--listen", type=listener, default=Listener("127.0.0.1", 8090), metavar="[HOST:]PORT",
        help="where to listen; default 127.0.0.1:8090",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="let anybody on this machine in by any name")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.number is not None and args.what != "link":
        raise UsageError(f"There is no use for {args.number}.")
    if args.what == "password":
        return _password()
    config = read_config(args.config)
    if args.what == "link":
        return _link(args, config)
    return _serve(args, config)


def _password() -> int:
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not password:
        raise UsageError("The password is empty.")
    print(hash_password(password))
    return 0


def _link(args: argparse.Namespace, config: DeskConfig) -> int:
    if args.number is None:
        raise UsageError("Say which tracking number: milepost desk link TRACKING_NUMBER.")
    if config.track is None:
        raise UsageError("A link needs a file (--config) with a part [track].")
    links = Links(config.track)
    source = _source(args, config)
    try:
        orders = sorted(parcel.order_id for parcel in source.parcels(args.number))
    finally:
        source.close()
    chosen = [order for order in orders if args.order in (None, order)]
    if not chosen:
        raise UsageError("No parcel is known by that number.")
    if len(chosen) > 1:
        raise UsageError(f"{len(chosen)} orders had that number; say which by --order: {', '.join(chosen)}.")
    print(links.make(chosen[0], args.number))
    return 0


def _serve(args: argparse.Namespace, config: DeskConfig) -> int:
    # Loaded only to run: the words of a command line are soon told apart.
    from services.desk.app import LOG, Site
    from services.desk.people import People
    from services.desk.server import serve
    from services.serving import listen

    local = _is_loopback(args.listen.host)
    behind = config.proxy is not None and config.proxy.user is not None
    if args.open and (config.users or behind or not local):
        raise UsageError("--open lets anybody in: it is for this machine alone, and not where people sign in.")
    if not (args.open or config.users or behind):
        raise UsageError("Nobody can sign in: name users or a proxy's header in --config, or say --open on loopback.")
    if config.secret is None and not args.open:
        raise UsageError('The file must name the variable of a secret that signs sessions: secret = "DESK_SECRET".')
    secret = read_secret(config.secret, SHORTEST_SECRET) if config.secret is not None else secrets.token_hex(32)
    people = People(config, secret, secure=behind or not local)
    with listen(args.listen.host, args.listen.port) as listening:
        site = Site(_source(args, config), config, people, local=args.open)
        talk(LOG.name)
        # A database that is away is told by /readyz and the metrics, not in a dozen lines a minute.
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
        LOG.info({"event": "started", "host": args.listen.host, "port": args.listen.port})
        serve(site, listening, config.limits.head_time / SECOND)
    LOG.info({"event": "stopped"})
    return 0


def _source(args: argparse.Namespace, config: DeskConfig) -> Source:
    # Loaded only where they are asked for: the lake's engine takes its time.
    lake = None
    if args.lake is not None:
        from services.desk.lake import LakeSource

        lake = LakeSource(args.lake, config.limits.refresh / SECOND)
    if args.outbox is not None and not Path(args.outbox).is_file():
        raise UsageError(f"There is no file {args.outbox}.")
    address = args.postgres or (f"{SQLITE}{args.outbox}" if args.outbox is not None else None)
    if address is None:
        if lake is None:
            raise UsageError("Say where parcels are told of: --postgres DSN, --outbox FILE or --lake DIR.")
        return lake
    from services.desk.both import DatabaseAndLake
    from services.desk.database import Database

    migrate(address)
    return Database(address) if lake is None else DatabaseAndLake(address, lake)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
