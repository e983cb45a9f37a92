"""Sources: where events come from, what the horizon is, and how finely time must be watched.

The graph never asks whether its input ends. Each kind of source answers for itself: how to read blocks of lines, up to
which time the world is known, and on which grid timers may lie.
"""

from urllib.parse import SplitResult, parse_qsl, urlsplit

from pipelines.errors import UsageError
from pipelines.sources.replay import Replay, find_files, open_lines, read_blocks
from pipelines.sources.source import Source
from pipelines.sources.spool import SpoolSource
from pipelines.sources.unbounded import LineSource, Live, Timing
from schemas.clock import WALL, Clock
from schemas.fields import Micros
from schemas.policy import Policy

__all__ = [
    "LineSource",
    "Live",
    "Replay",
    "Source",
    "SpoolSource",
    "find_files",
    "is_live",
    "open_lines",
    "open_source",
    "read_blocks",
]

SCHEMES = ("spool", "kafka", "pubsub")


def is_live(uri: str) -> bool:
    """Tell whether a source never ends, by its name alone."""
    return uri.partition("://")[0] in SCHEMES


def open_source(
    uri: str, lake: str, policy: Policy | None = None, clock: Clock = WALL, as_of: Micros | None = None
) -> Source:
    """Give the source that a user named.

    Args:
        uri: a file, folder or glob; or `spool://DIR`, `kafka://HOST:PORT/TOPIC[?group=NAME&readers=N]`,
            `pubsub://PROJECT/SUBSCRIPTION[?readers=N]`.
        lake: the lake whose knowledge a replay starts with.
        policy: tells how much out of order events may come; default the built-in one.
        clock: tells a live source what time it is.
        as_of: the horizon of a replay.

    Raises:
        UsageError: there is no such source, or it cannot be read.
    """
    if not is_live(uri):
        scheme = uri.partition("://")
        if scheme[1]:
            known = ", ".join(f"{name}://" for name in SCHEMES)
            raise UsageError(f"There is no source {scheme[0]}://; there are {known}, and files.")
        return Replay(uri, lake, as_of)
    if as_of is not None:
        raise UsageError("A horizon (--as-of) is for the replay of files; a live source's is the time itself.")
    timing = Timing(clock, (policy or Policy()).intake.out_of_order)
    source = _open(urlsplit(uri), uri, timing)
    source.check()
    return Live(source)


def _open(parts: SplitResult, uri: str, timing: Timing) -> LineSource:
    options = dict(parse_qsl(parts.query))
    place = parts.path.strip("/")
    if parts.scheme == "spool":
        folder = uri.removeprefix("spool://")
        if not folder:
            raise UsageError("A spool is named spool://DIR.")
        return SpoolSource(folder, timing)
    readers = _number(options.pop("readers", ""))
    if not parts.netloc or not place or "/" in place:
        wanted = "kafka://HOST:PORT/TOPIC" if parts.scheme == "kafka" else "pubsub://PROJECT/SUBSCRIPTION"
        raise UsageError(f"{uri} is no source; write {wanted}.")
    if parts.scheme == "pubsub":
        _refuse(options)
        # Imported where they are needed: both are large.
        from pipelines.sources.pubsub import PubSubSource

        return PubSubSource(parts.netloc, place, timing, readers=readers or 1)
    group = options.pop("group", "milepost")
    # What has a dot in its name is for Kafka's own library, such as security.protocol.
    _refuse([name for name in options if "." not in name])
    from pipelines.sources.kafka import KafkaSource

    settings = tuple(sorted(options.items()))
    return KafkaSource(parts.netloc, place, timing, group, readers=readers or 4, settings=settings)


def _number(text: str) -> int:
    if text and not (text.isdecimal() and 0 < int(text) <= 64):
        raise UsageError(f"readers={text} is no number from 1 to 64.")
    return int(text or 0)


def _refuse(options: "dict[str, str] | list[str]") -> None:
    for name in options:
        raise UsageError(f"A source has no option {name}.")
