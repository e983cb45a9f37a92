"""Signals that end a service do so as long as it runs, and mean afterwards what they meant before."""

import os
import signal
import threading

from services.signals import on_end


def test_a_signal_is_heard_while_it_lasts_and_means_what_it_meant_before():
    before, heard = signal.getsignal(signal.SIGINT), []
    with on_end(lambda: heard.append("end")):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert heard == ["end", "end"] and signal.getsignal(signal.SIGINT) is before


def test_another_thread_changes_nothing():
    before, found = signal.getsignal(signal.SIGTERM), []

    def work():
        with on_end(lambda: None):
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
