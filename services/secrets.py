"""Secrets: a file names environment variables, and they alone hold them."""

import os
from typing import Annotated

from msgspec import Meta

from pipelines.errors import UsageError

Variable = Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable."""


def read_secret(name: str, letters: int = 1) -> str:
    """Give a secret by the name of its variable.

    Args:
        name: of the variable.
        letters: that it must have at least.

    Raises:
        UsageError: it is not set, or too short.
    """
    secret = os.environ.get(name, "")
    if not secret:
        raise UsageError(f"The environment variable {name}, which the file names, is not set.")
    if len(secret) < letters:
        raise UsageError(f"The secret in {name} has fewer than {letters} letters.")
    return secret
