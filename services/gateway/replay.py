"""The command `milepost replay`: send quarantined bodies through their senders' adapters as they are now.

What an adapter takes wholly is published and marked; what it does not stays, though the events that it does tell are
published too. So a replay may be repeated at will: an event told twice counts once.
"""

import argparse
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path

from pipelines.errors import UsageError
from schemas.spool import SpoolError, SpoolWriter
from services.gateway.brokers.broker import Away, Broker
from services.gateway.config import GatewayConfig, read_config, read_secrets
from services.gateway.forward import message
from services.gateway.gateway import make_sender
from services.gateway.keys import HEADER
from services.gateway.publish import open_broker, spool_folder
from services.gateway.quarantine import Kept, Quarantine
from services.gateway.senders.sender import Malformed, Sender
from services.gateway.shop import NDJSON, to_lines

Publish = Callable[[Sequence[bytes]], None]

PATIENCE = 30
"""Seconds in which a gateway must have taken the events of a body."""


class Refused(Exception):
    """Events of a body that the gateway does not take, such as events of the future."""


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `replay` to the commands."""
    parser = commands.add_parser(
        "replay", help="send quarantined bodies through their senders' adapters again", allow_abbrev=False
    )
    parser.add_argument("--quarantine", required=True, metavar="DIR", help="the gateway's folder of kept bodies")
    parser.add_argument("--config", required=True, metavar="FILE", help="the gateway's TOML file")
    parser.add_argument(
        "--publish",
        required=True,
        metavar="URI",
        help="where events go: kafka://HOST:PORT/TOPIC, pubsub://PROJECT/TOPIC, http://HOST:PORT of a running gateway,"
        " or spool://DIR if none runs",
    )
    parser.add_argument("--sender", default="", metavar="NAME", help="of this sender alone")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    config = read_config(args.config)
    folder = Path(args.quarantine)
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.")
    senders = {name: make_sender(name, one) for name, one in config.senders().items()}
    if args.sender and args.sender not in senders:
        raise UsageError(f"There is no sender {args.sender} in the file.")
    quarantine = Quarantine(folder, config.quarantine)
    replayed = left = events = 0
    with ExitStack() as stack:
        publish = _publish(args.publish, config, stack)
        for kept in quarantine.kept(args.sender):
            told, whole = replay(kept, senders.get(kept.why.sender), publish)
            events += told
            if whole:
                quarantine.replayed(kept)
                replayed += 1
            else:
                left += 1
    print(f"{replayed} bodies replayed, {left} cannot be taken yet; {events} events published.")
    return 0


def replay(kept: Kept, sender: Sender | None, publish: Publish) -> tuple[int, bool]:
    """Publish what a body tells; give the number of events, and whether it was taken wholly.

    Args:
        kept: the body.
        sender: the adapter; None if there is none any more.
        publish: takes lines, and returns once they are durable.
    """
    if sender is None:
        return 0, False
    try:
        parsed = sender.parse(kept.body, kept.why.received_ts)
    except Malformed:
        return 0, False
    try:
        publish(to_lines(parsed.events, kept.why.received_ts))
    except Refused:
        return 0, False
    return len(parsed.events), not parsed.unknown


def _publish(uri: str, config: GatewayConfig, stack: ExitStack) -> Publish:
    if uri.startswith(("http://", "https://")):
        if config.events is None:
            raise UsageError("The file has no [events]: the gateway takes events with a key of theirs only.")
        address, key = f"{uri.rstrip('/')}/events", read_secrets(config.events.keys)[0]
        return lambda lines: _to_gateway(address, key, lines, config.limits.events)
    folder = spool_folder(uri)
    if folder is None:
        broker = open_broker(uri)
        stack.callback(broker.close)
        return lambda lines: _to_broker(broker, lines)
    try:
        return stack.enter_context(SpoolWriter(folder)).append
    except SpoolError as fault:
        raise UsageError(
            f"{str(fault).rstrip('.')}; publish to it, as http://HOST:PORT, if it is the gateway."
        ) from fault


def _to_broker(broker: Broker, lines: Sequence[bytes]) -> None:
    try:
        broker.publish([message(line) for line in lines], threading.Event())
    except Away as fault:
        raise RuntimeError(
            f"{broker.name} does not take events: {fault}; what is left can be replayed later."
        ) from fault


def _to_gateway(address: str, key: str, lines: Sequence[bytes], most: int) -> None:
    headers = {HEADER: key, "content-type": NDJSON[0]}
    try:
        for first in range(0, len(lines), most):
            body = b"\n".join(lines[first : first + most])
            urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=PATIENCE).close()
    except OSError as fault:
        status = 0
        if isinstance(fault, urllib.error.HTTPError):
            status = fault.code
            fault.close()
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise Refused from None
        why = f"answer {status}" if status else type(fault).__name__
        raise RuntimeError(f"{address} does not take events ({why}); what is left can be replayed later.") from None
