"""A desk as a process of its own, and a browser that looks at it."""

import os
import shutil
import signal
import sys
from contextlib import contextmanager

import pytest
from playwright.sync_api import Error, expect, sync_playwright

from scripts.servers import becomes, end, free_ports, listens, said, start

CHROMIUM = "chromium"
PATIENCE = 30_000
"""Milliseconds in which a page must show what it is asked for; a machine may be busy."""


@contextmanager
def serving(folder, *words, config="", port=0):
    """Run `milepost desk`; give its address and its process."""
    port = port or free_ports(1)[0]
    file, log = folder / "desk.toml", folder / f"desk-{port}.log"
    file.write_text(config)
    command = [sys.executable, "-m", "pipelines", "desk", *words, "--config", str(file), "--listen", str(port)]
    process = start(command, log)
    try:
        assert becomes(lambda: listens(port), process), said(log)[-1]
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.poll() is None:
            end(process, signal.SIGTERM)


@pytest.fixture
def chromium():
    """Start a browser without a window; where servers are a must, its lack is a failure.

    One for each test: its driver holds an event loop in this thread, and no other test could run one meanwhile.
    """
    program = shutil.which(CHROMIUM)
    if program is None:
        say = pytest.fail if os.environ.get("MILEPOST_SERVERS") == "1" else pytest.skip
        say("There is no Chromium on this machine: install the package chromium.")
    # Its own sandbox is not to be had by root or in a container.
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        except Error as fault:
            pytest.fail(f"Chromium does not start: {fault}")
        yield browser
        browser.close()


@contextmanager
def opened(chromium, base, name="Anna", **how):
    """Open a page of a desk as somebody who has signed in; any fault of its scripts or its policy fails the test."""
    faults = []
    context = chromium.new_context(base_url=base, **how)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("console", lambda said: faults.append(said.text) if "Security Policy" in said.text else None)
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    try:
        if name:
            page.goto("/sign-in")
            page.get_by_label("Your name").fill(name)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(f"{base}/")
        yield page
        assert faults == []
    finally:
        context.close()
