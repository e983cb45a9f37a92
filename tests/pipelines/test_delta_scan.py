"""The script by `delta_scan`, run by a DuckDB with its extension: it binds what the pinned script binds, and follows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.view_script import delta_script, pinned_script
from schemas.fields import HOUR
from tests.builders import MONDAY, event
from tests.pipelines.lakes import put
from tests.pipelines.test_view_script import HOSTILE, RELATIONS, filled

LIB = Path(__file__).parents[2] / "scripts" / "delta" / "lib"
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import duckdb
from pathlib import Path
db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
(extension,) = Path(sys.argv[1]).rglob("delta.duckdb_extension")
db.execute(f"load '{extension}'")
script, names = json.load(sys.stdin)
db.execute(script)
rows = {name: sorted(map(repr, db.sql(f"from {name}").fetchall())) for name in names}
print(json.dumps([duckdb.__version__, rows]))
"""


@pytest.fixture
def ask():
    """Give what runs a script in that DuckDB, and gives the rows of every table and view."""
    if not (LIB / "setup.stamp").exists():
        say = pytest.fail if os.environ.get("MILEPOST_SERVERS") == "1" else pytest.skip
        say("the extension delta is not there; scripts/delta/setup fetches it")

    def asking(script):
        given = json.dumps([script, RELATIONS])
        done = subprocess.run(
            [sys.executable, "-c", ASK, str(LIB)], input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        version, rows = json.loads(done.stdout)
        assert version.startswith("1.")
        return rows

    return asking


@pytest.mark.parametrize("name", ["lake", HOSTILE])
def test_both_scripts_bind_the_same_in_an_older_duckdb_too(ask, tmp_path, name):
    lake = filled(tmp_path / name)
    found = ask(delta_script(lake.path))
    assert found == ask(pinned_script(lake.path))
    assert all(found[name] for name in ("events", "parcels", "current_alerts", "hub_scans", "sla_status"))


def test_live_tables_are_followed(ask, tmp_path):
    lake = filled(tmp_path / "lake")
    script, pinned = delta_script(lake.path), pinned_script(lake.path)
    put(lake, "events", event("delivered", MONDAY + 50 * HOUR, carrier="ups"))
    assert len(ask(script)["events"]) == len(ask(pinned)["events"]) + 1
