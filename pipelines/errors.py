"""Errors that end a command with one clear sentence instead of a traceback."""


class UsageError(Exception):
    """The command was asked for something it cannot do as asked; its text is one clear sentence. Exit code 2."""


class QueryError(Exception):
    """A question that has no answer; its text is one clear sentence. Exit code 1."""
