"""What the gateway's README shows is true, and so are the examples in docstrings."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import services.gateway
import services.load
from services.gateway.config import Limits, Quota, read_config

README = Path(services.gateway.__path__[0]) / "README.md"
MODULES = [
    module.name
    for package in (services.gateway, services.load)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_the_file_shown_is_one_and_its_limits_are_the_defaults(tmp_path):
    (shown,) = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    path = tmp_path / "gateway.toml"
    path.write_text(shown)
    config = read_config(path)
    assert config.limits == Limits()
    assert (config.spool, config.quarantine) == (type(config.spool)(), type(config.quarantine)())
    senders = config.senders()
    assert (senders["easypost"].kind, senders["post-of-b"].kind) == ("easypost", "aftership")
    assert (senders["easypost"].rate, senders["easypost"].burst) == (Quota().rate, Quota().burst)
    for name, value in re.findall(r"(decompressed|event|connections) = (\d+)", shown):
        assert getattr(Limits(), name) == int(value)
