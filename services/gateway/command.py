"""The command `milepost gateway`: take webhooks, and hand them to the broker as events."""

import argparse
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.log import talk
from schemas.spool import SpoolError, SpoolWriter
from services.gateway.config import read_config


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `gateway` to the commands."""
    parser = commands.add_parser(
        "gateway", help="take carriers' webhooks, and hand them on as events", allow_abbrev=False
    )
    parser.add_argument(
        "--publish",
        required=True,
        metavar="URI",
        help="where events go: spool://DIR, kafka://HOST:PORT/TOPIC or pubsub://PROJECT/TOPIC",
    )
    parser.add_argument("--spool", metavar="DIR", help="folder that keeps events until a broker has them")
    parser.add_argument("--config", required=True, metavar="FILE", help="TOML file of senders and limits")
    parser.add_argument("--quarantine", metavar="DIR", help="folder for bodies to replay; default: in the spool")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="port to listen at; 0: any (default: %(default)s)")
    parser.set_defaults(run=_run)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _run(args: argparse.Namespace) -> int:
    # Loaded only to run: the words of a command line are soon told apart.
    from services.gateway.life import Life
    from services.gateway.publish import open_target
    from services.gateway.server import serve
    from services.gateway.talk import LOG, say
    from services.serving import listen

    config = read_config(args.config)
    target = open_target(args.publish, args.spool)
    talk(LOG.name)
    with listen(args.host, args.port) as listening, _write(target.folder, config.spool.segment) as writer:
        life = Life(config, target, writer, Path(args.quarantine or target.folder / "quarantine"))
        host, port = listening.getsockname()[:2]
        say("started", host=host, port=port, publish=args.publish, senders=sorted(life.gateway.doors))
        serve(life.app, listening, config.limits)
    say("stopped")
    if life.forwarder is not None and life.forwarder.fault is not None:
        raise life.forwarder.fault
    return 0


def _write(folder: Path, segment_bytes: int) -> SpoolWriter:
    try:
        return SpoolWriter(folder, segment_bytes)
    except SpoolError as fault:
        raise UsageError(str(fault)) from fault
    except OSError as fault:
        raise UsageError(f"The spool {folder} cannot be used: {fault.strerror or fault}.") from fault
