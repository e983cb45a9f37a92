"""Problems: why a request gets no page, in one plain sentence that repeats nothing of it."""

TITLES = {
    400: "That cannot be read",
    403: "Not from here",
    404: "Not found",
    405: "Not that way",
    408: "Too slow",
    413: "Too much",
    421: "Not under this name",
    429: "Too many tries",
    500: "Something went wrong",
    503: "Not just now",
}


class Problem(Exception):
    """A request that gets no page."""

    def __init__(self, status: int, sentence: str, retry_after: float = 0) -> None:
        """Take the status, what people are told, and after how many seconds they may come again."""
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.retry_after = retry_after

    @property
    def title(self) -> str:
        """Give it in a few words."""
        return TITLES.get(self.status, TITLES[400])

    def headers(self) -> dict[str, str]:
        """Give the headers."""
        # At least 1: a wait of 0 would be no wait.
        return {"retry-after": str(max(1, round(self.retry_after + 0.5)))} if self.retry_after else {}
