"""An agenda gives what is true when it is due, and holds little beside."""

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from transforms import agenda
from transforms.agenda import Agenda

KEYS = st.sampled_from("abc")


@given(st.lists(st.tuples(KEYS, st.integers(0, 50) | st.none() | st.just("due")), max_size=80))
def test_whatever_is_true_comes_when_it_is_due_in_order_and_what_is_stale_is_never_much(steps):
    """Things are put off, brought forward and dropped, and time goes on in between."""
    true, now = {}, 0
    with mock.patch.object(agenda, "FEW", 3):
        held = Agenda(lambda: ((time, key) for key, time in true.items()))
        for key, when in steps:
            if when == "due":
                now += 5
                wanted = sorted((time, key) for key, time in true.items() if time <= now)
                found = [entry for entry in held.due(now) if true.get(entry[1]) == entry[0]]
                assert list(dict.fromkeys(found)) == wanted
                true = {key: time for key, time in true.items() if time > now}
            elif when is None:
                true.pop(key, None)
            elif true.get(key) != now + when:
                true[key] = now + when
                held.add((now + when, key))
            assert len(held) <= 2 * 3
        assert not true or held.next() <= min(true.values())


def test_what_is_added_while_others_are_taken_out_comes_in_its_turn():
    held = Agenda(list)
    held.add((1, "a"))
    found = []
    for entry in held.due(10):
        found.append(entry)
        if entry[1] == "a":
            held.add((2, "b"))
            held.add((11, "c"))
    assert found == [(1, "a"), (2, "b")]
    assert held.next() == 11


def test_an_empty_one_has_nothing_next():
    assert Agenda(list).next() is None
