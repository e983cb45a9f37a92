"""What scripts/flink/setup says and does where something is missing, with neither Java nor Maven nor the network."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FLINK = Path(__file__).parents[2] / "scripts/flink"
TOOLS = ("bash", "cat", "cksum", "dirname", "grep", "mkdir", "rm", "sed", "tail", "touch")
JAVA = "echo 'openjdk version \"{version}\" 2030-01-01' >&2\n"
# As Maven would: it makes the jars; and it notes that it was called.
MAVEN = 'echo "$*" >>called; mkdir lib; touch lib/job-server.jar\n'


@pytest.fixture
def place(tmp_path):
    """A copy of the set-up, and a path with nothing in it but the plainest tools."""
    (tmp_path / "flink").mkdir()
    for name in ("setup", "pom.xml"):
        shutil.copy(FLINK / name, tmp_path / "flink" / name)
    shutil.copytree(FLINK / "src", tmp_path / "flink" / "src")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    return tmp_path


def provide(place, name, script):
    """Put a program into the path."""
    program = place / "bin" / name
    program.write_text(f"#!/usr/bin/env bash\n{script}".replace("/usr/bin/env bash", shutil.which("bash")))
    program.chmod(0o755)


def set_up(place, **environment):
    """Run it; give its exit code, what it said, and how often it called Maven."""
    plain = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
    done = subprocess.run(
        ["bash", place / "flink/setup"],
        env=plain | {"PATH": str(place / "bin")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    called = place / "flink/called"
    return done.returncode, done.stderr, len(called.read_text().splitlines()) if called.exists() else 0


def test_without_java_it_says_so(place):
    code, said, _ = set_up(place)
    assert (code, said.count("\n")) == (2, 1)
    assert "Java 17 or later is needed, and none is there" in said


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_401"])
def test_with_an_old_java_it_says_which(place, version):
    provide(place, "java", JAVA.format(version=version))
    code, said, _ = set_up(place)
    assert (code, said.count("\n")) == (2, 1)
    assert f"only Java {version.split('.')[0]} is there" in said


def test_java_home_counts_before_the_path(place):
    provide(place, "java", JAVA.format(version="21.0.1"))
    code, said, _ = set_up(place, JAVA_HOME=str(place / "nowhere"))
    assert code == 2 and "none is there" in said


def test_without_maven_it_says_so(place):
    provide(place, "java", JAVA.format(version="17.0.15"))
    code, said, _ = set_up(place)
    assert (code, said.count("\n")) == (2, 1)
    assert "Maven is needed" in said


def test_it_fetches_once_and_again_after_a_change(place):
    provide(place, "java", JAVA.format(version="17.0.15"))
    provide(place, "mvn", MAVEN)
    assert set_up(place)[::2] == (0, 1)
    # Nothing to do needs no Maven.
    (place / "bin/mvn").rename(place / "bin/elsewhere")
    assert set_up(place) == (0, "", 1)
    (place / "bin/elsewhere").rename(place / "bin/mvn")
    with (place / "flink/pom.xml").open("a") as pom:
        pom.write("<!-- changed -->\n")
    assert set_up(place)[::2] == (0, 2)
    with next((place / "flink/src").rglob("*.java")).open("a") as source:
        source.write("// changed\n")
    assert set_up(place)[::2] == (0, 3)
    assert set_up(place) == (0, "", 3)


def test_a_fetch_that_fails_is_one_sentence_and_is_tried_again(place):
    provide(place, "java", JAVA.format(version="17.0.15"))
    provide(
        place, "mvn", 'mkdir lib; echo "noise"; echo "[ERROR] Could not transfer it"; echo "[ERROR] more"; exit 1\n'
    )
    code, said, _ = set_up(place)
    assert code == 1
    assert said.splitlines()[1:] == ["flink/setup: Maven could not fetch it: [ERROR] Could not transfer it"]
    provide(place, "mvn", MAVEN)
    assert set_up(place)[::2] == (0, 1)
