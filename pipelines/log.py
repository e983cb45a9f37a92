"""What a process that runs on says: one JSON object a line on stderr, free of events and of what is in them."""

import json
import logging
import sys
import threading

from schemas.fields import to_text

_GUARD = threading.Lock()


class JsonLines(logging.Formatter):
    """Writes a record whose message is a dict as it is, any other as what it says."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        said = record.msg if isinstance(record.msg, dict) else {"event": "notice", "said": record.getMessage()}
        return json.dumps({"at": to_text(int(record.created * 1_000_000)), **said})


def talk(*names: str) -> None:
    """Let loggers, and those below them, speak on stderr; whatever else the process holds stays quiet."""
    with _GUARD:
        for name in names:
            logger = logging.getLogger(name)
            if any(isinstance(handler.formatter, JsonLines) for handler in logger.handlers):
                continue
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(JsonLines())
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            logger.propagate = False
