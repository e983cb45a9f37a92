"""The command `carriers`: list the carriers' profiles, or look for faults in them, and try one on a sample."""

import argparse
import sys
from pathlib import Path

from pipelines.errors import UsageError
from schemas.profile_faults import faults_of
from schemas.profiles import FOLDER, Profile, ProfileError, parse_profile
from schemas.rejections import Rejected
from transforms.hubs.normalise import Tally, judge


def lint(folder: Path = FOLDER) -> tuple[list[Profile], list[str]]:
    """Read every profile of a folder; give them, and one line a fault."""
    profiles: list[Profile] = []
    faults: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            profile = parse_profile(path)
        except ProfileError as fault:
            faults.append(f"{path.name}: {fault}")
            continue
        faults += [f"{path.name}: {fault}." for fault in faults_of(profile)]
        if profile.name in [other.name for other in profiles]:
            faults.append(f"{path.name}: there is another profile named {profile.name}.")
        profiles.append(profile)
    return profiles, faults


def try_sample(sample: Path, profile: Profile) -> tuple[list[str], list[str]]:
    """Read a sample file by a profile; give what there is to say, and one line a fault."""
    tally, faults = Tally(), []
    try:
        for _ in judge(str(sample), sample.name, profile, tally):
            pass
        tally.check(profile)
    except Rejected as fault:
        faults.append(f"{sample.name}: {fault.reason}: {fault.detail}.")
    told = tally.codes.total()
    whole = told + tally.unknown.total()
    share = f"{told / whole:.1%}" if whole else "none"
    said = [
        f"{sample.name}: {tally.rows:,} rows; {share} have a code that is mapped ({tally.ignored:,} information only);"
        f" {tally.bad:,} bad."
    ]
    faults += [f"{sample.name}: the code {code!r} is unmapped ({count:,} rows)."
               for code, count in tally.unknown.most_common()]  # fmt: skip
    return said, faults


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `carriers` to the command line."""
    parser = commands.add_parser("carriers", help="list the carriers' profiles, or look for faults in them")
    parser.add_argument("what", choices=("list", "lint"), help="what to do")
    parser.add_argument("--profiles", type=Path, default=FOLDER, metavar="DIR", help="default: Milepost's own")
    parser.add_argument("--sample", type=Path, metavar="FILE", help="try a profile on this bulk file")
    parser.add_argument("--profile", metavar="NAME", help="the profile to try")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if not arguments.profiles.is_dir():
        raise UsageError(f"There is no folder {arguments.profiles}.")
    if (arguments.sample is None) != (arguments.profile is None):
        raise UsageError("Give --sample FILE and --profile NAME together.")
    if arguments.sample is not None and arguments.what != "lint":
        raise UsageError("A sample is tried by `milepost carriers lint`.")
    if arguments.sample is not None and not arguments.sample.is_file():
        raise UsageError(f"There is no file {arguments.sample}.")
    profiles, faults = lint(arguments.profiles)
    if arguments.what == "list":
        for profile in profiles:
            print(f"{profile.name}: {' '.join(profile.description.split())}")
        for fault in faults:
            print(fault, file=sys.stderr)
        return 1 if faults else 0
    for fault in faults:
        print(fault)
    if arguments.sample is not None and not faults:
        faults = _sample(arguments.sample, arguments.profile, profiles)
    if not faults:
        print(f"{len(profiles)} profiles, no faults.")
    return 1 if faults else 0


def _sample(sample: Path, name: str, profiles: list[Profile]) -> list[str]:
    named = {profile.name: profile for profile in profiles}
    if name not in named:
        raise UsageError(f"There is no profile {name}; there are {', '.join(sorted(named))}.")
    said, faults = try_sample(sample, named[name])
    for line in [*said, *faults]:
        print(line)
    return faults
