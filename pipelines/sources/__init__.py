"""Sources: where events come from, what the horizon is, and how finely time must be watched.

The graph never asks whether its input ends. Each kind of source answers for itself: how to read blocks of lines, up to
which time the world is known, and on which grid timers may lie.
"""

from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pipelines.errors import UsageError
from pipelines.sources.known import Recall
from pipelines.sources.live import Live
from pipelines.sources.replay import Replay, find_files, open_lines, read_blocks
from pipelines.sources.source import Source
from pipelines.sources.spool import SpoolSource
from pipelines.sources.unbounded import LineSource, Timing
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


HOLD = 60.0
"""Seconds from which on what is put away for good is done for the source: rows are committed well within them."""


def open_source(
    uris: str | Sequence[str],
    lake: str,
    policy: Policy | None = None,
    clock: Clock = WALL,
    as_of: Micros | None = None,
    hold: float = HOLD,
) -> Source:
    """Give the source that a user named.

    Args:
        uris: a file, folder or glob; or one or several of `spool://DIR`, `kafka://HOST:PORT/TOPIC[?group=NAME&readers=N]`,
            `pubsub://PROJECT/SUBSCRIPTION[?readers=N]`.
        lake: the lake with whose knowledge a run begins.
        policy: tells how much out of order events may come; default the built-in one.
        clock: tells a live source what time it is.
        as_of: the horizon of a replay.
        hold: seconds from which on what the engine has put away is done for a live source.

    Raises:
        UsageError: there is no such source, or it cannot be read.
    """
    uris = [uris] if isinstance(uris, str) else list(uris)
    for uri in uris:
        scheme = uri.partition("://")
        if scheme[1] and not is_live(uri):
            known = ", ".join(f"{name}://" for name in SCHEMES)
            raise UsageError(f"There is no source {scheme[0]}://; there are {known}, and files.")
    if not is_live(uris[0]):
        if len(uris) > 1:
            raise UsageError("Several inputs may be given where none of them ends; files are named by a glob.")
        return Replay(uris[0], lake, as_of)
    if as_of is not None:
        raise UsageError("A horizon (--as-of) is for the replay of files; a live source's is the time itself.")
    policy = policy or Policy()
    timing = Timing(clock, policy.intake.out_of_order, hold)
    sources: list[LineSource] = []
    for uri in uris:
        if not is_live(uri):
            raise UsageError(f"{uri} ends, the other inputs do not; replay it in a run of its own.")
        try:
            source = _open(urlsplit(uri), uri, timing)
        except ValueError as fault:
            raise UsageError(f"{uri} is no source: {fault}.") from fault
        if source.name in [one.name for one in sources]:
            raise UsageError(f"{source.name} is named twice.")
        source.check()
        sources.append(source)
    sources[0].recall = Recall(lake, policy.memory)
    return Live(sources)


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
