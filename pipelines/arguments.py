"""Argument types that several commands share; a wrong value is one clear sentence."""

import argparse
import datetime
from collections.abc import Callable
from typing import NamedTuple

from schemas.fields import Micros, parse_time, to_text


def moment(text: str) -> Micros:
    """Read a time with its zone (RFC 3339), or a date, which means its midnight in UTC."""
    try:
        return parse_time(to_text(parse_time(text)))
    except (ValueError, OverflowError) as fault:
        raise argparse.ArgumentTypeError(f"{text!r} is no time with a zone, such as 2026-01-31T18:00:00Z") from fault


def day(text: str) -> datetime.date:
    """Read a date."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{text!r} is no date, such as 2026-01-31") from fault


def whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from fault


def up_to(most: int) -> Callable[[str], int]:
    """Give the reader of a whole number from 1 to `most`."""

    def read(text: str) -> int:
        number = whole(text)
        if not 1 <= number <= most:
            raise argparse.ArgumentTypeError(f"{number} is not from 1 to {most:,}")
        return number

    return read


class Listener(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


def listener(text: str) -> Listener:
    """Read [HOST:]PORT; without a host it is loopback."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no [HOST:]PORT, such as 9400")
    return Listener(host or "127.0.0.1", int(port))
