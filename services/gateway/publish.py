"""Where events go: `--publish`, and the spool before it."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from pipelines.errors import UsageError
from services.gateway.brokers.broker import Broker


class Target(NamedTuple):
    """Where events go: a spool's folder, and what it is forwarded to, if anything."""

    folder: Path
    broker: Broker | None


def open_target(uri: str, spool: str | None) -> Target:
    """Give where the events go that a user named.

    Args:
        uri: `spool://DIR`, `kafka://HOST:PORT/TOPIC[?NAME.OF.A.SETTING=VALUE]` or `pubsub://PROJECT/TOPIC`.
        spool: the folder that keeps events until a broker has them; none where `uri` is itself a spool.

    Raises:
        UsageError: there is no such place, or it lacks a spool.
    """
    folder = spool_folder(uri)
    if folder is not None:
        if spool is not None:
            raise UsageError("What is published to a spool needs no other spool: leave --spool out.")
        return Target(folder, None)
    broker = open_broker(uri)
    if spool is None:
        raise UsageError("What is published to a broker is kept until the broker has it: say where, by --spool DIR.")
    return Target(Path(spool), broker)


def spool_folder(uri: str) -> Path | None:
    """Give the folder of a spool that a user named; None if it is no spool.

    Raises:
        UsageError: it names no folder.
    """
    if not uri.startswith("spool://"):
        return None
    if uri == "spool://":
        raise UsageError("A spool is named spool://DIR.")
    return Path(uri.removeprefix("spool://"))


def open_broker(uri: str) -> Broker:
    """Give the broker that a user named.

    Raises:
        UsageError: there is no such broker, or it cannot be used.
    """
    parts = urlsplit(uri)
    place = parts.path.strip("/")
    if parts.scheme not in ("kafka", "pubsub"):
        raise UsageError(f"{uri} is nowhere to publish to; there are spool://, kafka:// and pubsub://.")
    if not parts.netloc or not place or "/" in place:
        wanted = "kafka://HOST:PORT/TOPIC" if parts.scheme == "kafka" else "pubsub://PROJECT/TOPIC"
        raise UsageError(f"{uri} is nowhere to publish to; write {wanted}.")
    options = dict(parse_qsl(parts.query))
    for name in options:
        if parts.scheme == "pubsub" or "." not in name:
            raise UsageError(f"A place to publish to has no option {name}.")
    # Imported where they are needed: both are large.
    if parts.scheme == "kafka":
        from services.gateway.brokers.kafka import KafkaBroker

        return KafkaBroker(parts.netloc, place, tuple(sorted(options.items())))
    from services.gateway.brokers.pubsub import PubSubBroker

    return PubSubBroker(parts.netloc, place)
