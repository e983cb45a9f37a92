"""Settings: TOML files that people write, read into a class that knows what may be in them, and durations in them."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from schemas.fields import DAY, HOUR, MINUTE, SECOND

_UNITS = {"s": SECOND, "min": MINUTE, "h": HOUR, "d": DAY}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*")

Settings = TypeVar("Settings")


class Duration(int):
    """A length of time in microseconds, written as text with a unit."""

    @classmethod
    def of(cls, text: str) -> "Duration":
        """Read a duration.

        >>> Duration.of("30 min") == 30 * MINUTE
        True
        """
        match = _DURATION.fullmatch(text)
        length = float(match[1]) * _UNITS[match[2]] if match else 0
        if not 1 <= length <= 36500 * DAY:
            raise ValueError(f"{text!r} is no duration; write a number above 0 and s, min, h or d, such as '30 min'")
        return cls(length)


def read_settings(
    path: str | Path, kind: type[Settings], fault_kind: type[Exception], what: str = "The file"
) -> Settings:
    """Read a file of settings.

    Args:
        path: where it is.
        kind: the class that it is read into.
        fault_kind: what is raised where it cannot be, with one clear sentence.
        what: what that sentence begins with.
    """
    try:
        written = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        return msgspec.convert(written, kind, dec_hook=_hook)
    except (OSError, UnicodeDecodeError) as fault:
        raise fault_kind(f"{what} {path} cannot be read: {getattr(fault, 'strerror', fault)}.") from fault
    except msgspec.ValidationError as fault:
        raise fault_kind(f"{what} {path} cannot be used: {fault}.") from fault
    except (ValueError, RecursionError) as fault:
        # Not TOMLDecodeError alone: numbers may be too long, and lists too deep, for Python.
        raise fault_kind(f"{what} {path} is no TOML: {fault}.") from fault


def _hook(kind: type, value: Any) -> Any:  # noqa: ANN401
    if kind is Duration and isinstance(value, str):
        return Duration.of(value)
    raise ValueError(f"expected {kind.__name__.lower()} text, got {value!r}")
