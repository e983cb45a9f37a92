"""The customers' page: one parcel, for whoever has the link to it."""

import time
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from schemas.fields import Micros
from services.desk.config import TrackConfig, zone
from services.desk.desk import join
from services.desk.guesses import Guesses
from services.desk.listeners import Listeners, marks_of
from services.desk.metrics import Metrics
from services.desk.pages import Pages
from services.desk.people import People
from services.desk.problems import Problem
from services.desk.rows import Parcel
from services.desk.source import Key, Source, SourceError
from services.desk.words import clock_of, tell_customer
from services.tokens import Tokens

UNKNOWN = "There is no parcel to show here. Please check that the link is whole."
"""Said of a parcel that there is not, and of a token that does not open one: nobody learns which it is."""


class Tracking:
    """The page and its stream; a wrong guess costs the same whatever is wrong with it."""

    def __init__(
        self,
        source: Source,
        config: TrackConfig,
        tokens: Tokens,
        people: People,
        listeners: Listeners,
        pages: Pages,
        metrics: Metrics,
    ) -> None:
        """Take all it needs."""
        self.source = source
        self.tokens = tokens
        self.people = people
        self.listeners = listeners
        self.pages = pages
        self.metrics = metrics
        self._clock = clock_of(zone(config.zone))
        self._guesses = Guesses(
            config.guesses, config.guesses_at_once, config.all_guesses, config.all_guesses_at_once
        )  # fmt: skip

    async def show(self, request: Request) -> Response:
        """Show a parcel."""
        parcel = await self._opened(request)
        key = (parcel.order_id, parcel.tracking_number)
        now, mark, latest, kinds = await run_in_threadpool(self._read, key)
        token = request.query_params.get("t", "")
        stream = f"/track-live/{quote(parcel.tracking_number, safe='')}?{urlencode({'t': token, 'mark': mark})}"
        return self.pages.show(
            "track",
            told=tell_customer(latest or parcel, kinds, now, self._clock),
            number=parcel.tracking_number,
            carrier=(parcel.carrier or "").replace("_", " "),
            written=self._clock,
            now=now,
            stream=stream,
        )

    async def live(self, request: Request) -> Response:
        """Tell the page when its parcel has changed."""
        parcel = await self._opened(request)
        topic = ((parcel.order_id, parcel.tracking_number),)
        return join(self.listeners, topic, request, self.people.address(request))

    async def _opened(self, request: Request) -> Parcel:
        """Give the parcel that a request's token opens.

        Raises:
            Problem: none, or there were too many guesses.
        """
        address = self.people.address(request)
        wait = self._guesses.pay(address, time.monotonic())
        if wait:
            self.metrics.guesses.labels("held_back").inc()
            raise Problem(429, "Too many links that lead nowhere were tried from here; please wait a little.", wait)
        try:
            parcels = await run_in_threadpool(self.source.parcels, request.path_params["tracking_number"])
        except SourceError:
            self._guesses.right(address)
            raise
        shown = request.query_params.get("t", "")
        place = self.tokens.opened([(parcel.order_id, parcel.tracking_number) for parcel in parcels], shown)
        if place is None:
            self.metrics.guesses.labels("wrong").inc()
            raise Problem(404, UNKNOWN)
        self._guesses.right(address)
        return parcels[place]

    def _read(self, key: Key) -> tuple[Micros, str, Parcel | None, set[str]]:
        # The mark first: what changes while the rest is read is told to the page afterwards.
        mark = marks_of(self.source, [(key,)])[(key,)]
        latest = [parcel for parcel in self.source.parcels(key[1]) if parcel.order_id == key[0]]
        return self.source.now(), mark, next(iter(latest), None), self.source.open_kinds(key)
