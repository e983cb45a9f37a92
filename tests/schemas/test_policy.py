"""A policy file that cannot be used says why in one clear sentence."""

import pytest

from schemas.fields import DAY, HOUR, MINUTE, SECOND
from schemas.policy import Policy, PolicyError, read_policy
from schemas.settings import Duration


def write(folder, text):
    """Write a policy file."""
    path = folder / "policy.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_no_file_means_the_defaults():
    limits = read_policy(None).limits
    assert (limits.pick_pack_delay, limits.label_scan_delay, limits.last_mile_delay, limits.sla_at_risk) == (
        30 * MINUTE, 2 * HOUR, 12 * HOUR, 4 * HOUR,
    )  # fmt: skip


def test_an_empty_file_is_the_defaults(tmp_path):
    assert read_policy(write(tmp_path, "")) == Policy()


def test_what_is_written_counts_and_the_rest_keeps_its_default(tmp_path):
    policy = read_policy(write(tmp_path, """
        limits.pick_pack_delay = "45 min"
        visits = {gap = "6 h", parcels = "all", high_value = 900}
        [carrier."Blue Dart"]
        last_mile_delay = "1.5 d"
        [warehouse.w1]
        pick_pack_delay = "90s"
    """))  # fmt: skip
    assert policy.limits_for("UPS", None).pick_pack_delay == 45 * MINUTE
    assert policy.limits_for("Blue Dart", "w1").last_mile_delay == 36 * HOUR
    assert policy.limits_for("Blue Dart", "w1").pick_pack_delay == 90 * SECOND
    assert policy.limits_for(None, None).label_scan_delay == 2 * HOUR
    assert (policy.visits.gap, policy.visits.parcels, policy.visits.high_value) == (6 * HOUR, "all", 900.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("limits = ", "no TOML", id="no TOML"),
        pytest.param(b"\xff\xfe", "cannot be read", id="no UTF-8"),
        pytest.param("limits = " + "9" * 5_000, "no TOML", id="a number longer than any"),
        pytest.param("limits = " + "[" * 5_000, "no TOML", id="lists 5,000 deep"),
        pytest.param("[limit]", "limit", id="unknown section"),
        pytest.param("limits.pick_pack_dely = '1 h'", "pick_pack_dely", id="unknown limit"),
        pytest.param("limits.pick_pack_delay = 30", "30", id="a number without a unit"),
        pytest.param("limits.pick_pack_delay = '30'", "no duration", id="a text without a unit"),
        pytest.param("limits.pick_pack_delay = '30 weeks'", "no duration", id="unknown unit"),
        pytest.param("limits.pick_pack_delay = '-1 h'", "no duration", id="below nothing"),
        pytest.param("limits.pick_pack_delay = '0 h'", "no duration", id="nothing"),
        pytest.param("limits.pick_pack_delay = '0.0000001 s'", "no duration", id="less than can be told"),
        pytest.param("limits.pick_pack_delay = '999999999999 d'", "no duration", id="longer than time"),
        pytest.param("limits.pick_pack_delay = '" + "9" * 400 + " d'", "no duration", id="longer than any number"),
        pytest.param("limits.pick_pack_delay = true", "True", id="true"),
        pytest.param("visits.parcels = 'some'", "some", id="unknown choice"),
        pytest.param("visits.high_value = 0", "high_value", id="a value of nothing"),
        pytest.param("intake.max_record_bytes = 1", "1024", id="too small a record"),
        pytest.param("[carrier.A]\npick_pack = '1 h'", "pick_pack", id="unknown limit of a carrier"),
        pytest.param("limits = 3", "limits", id="a number for a section"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, text, says):
    with pytest.raises(PolicyError) as fault:
        read_policy(write(tmp_path, text))
    sentence = str(fault.value)
    assert sentence.startswith("The policy file ")
    assert says in sentence
    assert sentence.endswith(".")
    assert not sentence.endswith("..")
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_file_that_cannot_be_read(tmp_path, name):
    with pytest.raises(PolicyError, match=r"cannot be read: .+\.$"):
        read_policy(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "length"), [("30 min", 30 * MINUTE), ("1.5h", 90 * MINUTE), (" 2 d ", 2 * DAY), ("0.5 s", SECOND // 2)]
)
def test_durations(text, length):
    assert Duration.of(text) == length
