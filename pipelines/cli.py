"""The command `milepost`: exit code 0 for done, 1 for what failed, 2 for wrong usage; errors are one clear sentence."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from pipelines.errors import QueryError, UsageError
from schemas.policy import PolicyError
from transforms.publish.lake import LakeError
from transforms.tell.store import StoreError

COMMANDS = {
    "simulate": "pipelines.simulate.command",
    "live": "pipelines.live_command",
    "nightly": "pipelines.nightly",
    "carriers": "pipelines.carriers",
    "report": "pipelines.report",
    "scorecard": "pipelines.scorecard",
    "sql": "pipelines.sql",
    "views": "pipelines.view_script",
    "export": "pipelines.export",
    "explain": "pipelines.explain",
    "maintain": "pipelines.maintain",
    "relay": "services.relay.command",
    "gateway": "services.gateway.command",
    "replay": "services.gateway.replay",
    "load": "services.load.command",
    "desk": "services.desk.command",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    quieten()
    try:
        args = parse(words)
        code: int = args.run(args)
    except (UsageError, PolicyError) as fault:
        return _say(fault, 2)
    except BrokenPipeError:
        # The reader of a pipe has gone: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _say("Interrupted; what was committed stays, a rerun completes it.", 130)
    except Exception as fault:
        if os.environ.get("MILEPOST_TRACEBACK"):
            raise
        return _say(sentence(fault), 1)
    return code


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the words of a command line; what a command with a graph does not know is kept for Beam in `rest`.

    Only the command that is asked for is loaded: Beam takes its time to import.

    Raises:
        UsageError: a word is no text.
    """
    for word in words:
        # What is no UTF-8 comes as halves of characters, which neither a lake nor a query can take.
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise UsageError(f"{word!a} is no UTF-8.")
    parser = argparse.ArgumentParser(prog="milepost", description="Follow every parcel.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = words[0] if words and words[0] in COMMANDS else None
    for name in [chosen] if chosen else COMMANDS:
        importlib.import_module(COMMANDS[name]).add_command(commands)
    args, rest = parser.parse_known_args(words)
    if rest and not getattr(args, "beam", False):
        parser.error(f"there is no use for {' '.join(rest)}")
    args.rest = rest
    return args


def sentence(fault: BaseException) -> str:
    """Give an error as one sentence, free of traceback; Beam wraps what a worker raised several deep."""
    while fault.__cause__ is not None and not isinstance(fault, LakeError | QueryError | StoreError):
        fault = fault.__cause__
    if isinstance(fault, OSError) and fault.strerror:
        return f"{fault.filename}: {fault.strerror}." if fault.filename else f"{fault.strerror}."
    text = str(fault).strip().split("\n")[0]
    return text or type(fault).__name__


def quieten() -> None:
    """Keep libraries from talking of what they could do were other libraries there, and Beam from tracebacks."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    told = os.environ.get("MILEPOST_TRACEBACK")
    logging.getLogger("apache_beam").setLevel(logging.ERROR if told else logging.CRITICAL)


def _say(fault: object, code: int) -> int:
    print(f"milepost: {fault}", file=sys.stderr)
    return code
