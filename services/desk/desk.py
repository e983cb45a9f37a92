"""The desk's pages: the queue, an order's story, and what people do about alerts."""

import re
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from pipelines.render import for_people
from schemas.fields import SECOND, Micros
from services.desk.choice import AGES, NONE, Choice, ChoiceError, Overview, read_choice
from services.desk.config import Limits
from services.desk.export import export
from services.desk.forms import Form, read_form
from services.desk.listeners import QUEUE, Listeners, Topic, marks_of
from services.desk.metrics import Metrics
from services.desk.pages import ALERTS, Pages
from services.desk.people import People, Session
from services.desk.problems import Problem
from services.desk.rows import OpenAlert
from services.desk.source import Source, Standing
from services.desk.steps import MOST_ALERTS, StepError, read_step

_GLANCE = 5.0
"""Seconds for which all pages share one overview, as long as the queue stays as it is."""

_SAID = re.compile(r"([a-z]{1,16})\.(\d{1,6})\.(\d{1,6})", re.ASCII)
_DONE = {
    "acknowledge": "acknowledged",
    "reopen": "not acknowledged any more",
    "take": "yours now",
    "assign": "assigned",
    "note": "noted",
}


class Desk:
    """What each address of the desk's does; all of them ask first who somebody is."""

    def __init__(
        self, source: Source, limits: Limits, people: People, listeners: Listeners, pages: Pages, metrics: Metrics
    ) -> None:
        """Take all it needs."""
        self.source = source
        self.limits = limits
        self.people = people
        self.listeners = listeners
        self.pages = pages
        self.metrics = metrics
        self._overview = ("", float("-inf"), Overview(()))

    async def queue(self, request: Request) -> Response:
        """Show a page of the queue."""
        session = self.people.session(request)
        if not session.name:
            return self._to_sign_in(session)
        choice = _choice(dict(request.query_params))
        now, mark, overview, found, alerts = await run_in_threadpool(self._read, choice)
        more = len(alerts) > self.limits.page
        alerts = alerts[: self.limits.page]
        return self._page(
            "queue",
            session,
            now,
            stream=f"/live?{urlencode({'mark': mark})}",
            choice=choice,
            overview=overview,
            found=found,
            rows=alerts,
            next=choice.query(after=choice.place(alerts[-1])) if more else None,
            said=_said(request.query_params.get("said", "")),
            options=_options(overview),
            none=NONE,
        )

    async def order(self, request: Request) -> Response:
        """Show an order's story."""
        session = self.people.session(request)
        if not session.name:
            return self._to_sign_in(session)
        order_id = request.query_params.get("id", "")
        now, story, alerts, mark = await run_in_threadpool(self._story, order_id)
        if not story:
            raise Problem(404, "There is no such order here.")
        return self._page(
            "order",
            session,
            now,
            stream=f"/live?{urlencode({'order': order_id, 'mark': mark})}",
            order_id=order_id,
            story=story,
            rows=alerts,
            said=_said(request.query_params.get("said", "")),
        )

    async def file(self, request: Request) -> Response:
        """Give the queue as a file."""
        session = self.people.session(request)
        if not session.name:
            return self._to_sign_in(session)
        lines = export(self.source, _choice(dict(request.query_params)), self.limits.export)
        return StreamingResponse(
            lines, media_type="text/csv", headers={"content-disposition": 'attachment; filename="alerts.csv"'}
        )

    async def live(self, request: Request) -> Response:
        """Tell a page when what it shows has changed."""
        if not self.people.session(request).name:
            raise Problem(403, "Please sign in.")
        topic: Topic = QUEUE
        if order_id := request.query_params.get("order", ""):
            story = await run_in_threadpool(self.source.story, order_id)
            topic = _topic(order_id, story)
        return join(self.listeners, topic, request, self.people.address(request))

    async def act(self, request: Request) -> Response:
        """Take a step about some alerts, then show where it was taken from."""
        session = self.people.session(request)
        form = await read_form(request, self.limits.body_time / SECOND)
        if not session.name or not self.people.sent_here(request, session, form.one("form")):
            raise Problem(403, "This form is not from a page of yours, or you were signed out; open the desk anew.")
        if not self.source.writable:
            raise Problem(403, "Without a database nothing can be acknowledged or assigned.")
        try:
            step = read_step(
                form.one("step"), form.all("alert"), session.name, form.one("assignee"), form.one("note")
            )  # fmt: skip
        except StepError as fault:
            raise Problem(400, str(fault)) from fault
        changed = await run_in_threadpool(self.source.act, step)
        self.metrics.steps.labels(step.step).inc(changed)
        return RedirectResponse(_back(form, f"{step.step}.{changed}.{len(step.alerts)}"), 303)

    def _read(self, choice: Choice) -> tuple[Micros, str, Overview, int, list[OpenAlert]]:
        # The mark first: what changes while the rest is read is told to the page afterwards.
        mark = marks_of(self.source, [QUEUE])[QUEUE]
        seen, at, overview = self._overview
        if seen != mark or time.monotonic() - at > _GLANCE:
            overview = Overview(self.source.shares())
            self._overview = (mark, time.monotonic(), overview)
        found = overview.count(choice)
        if found is None:
            found = self.source.count(choice)
        return self.source.now(), mark, overview, found, self.source.page(choice, self.limits.page + 1)

    def _story(self, order_id: str) -> tuple[Micros, list[Standing], list[OpenAlert], str]:
        story = self.source.story(order_id)
        if not story:
            return 0, [], [], ""
        topic = _topic(order_id, story)
        mark = marks_of(self.source, [topic])[topic]
        begins = Choice(q=order_id, sort="oldest")
        alerts = [alert for alert in self.source.page(begins, MOST_ALERTS) if alert.order_id == order_id]
        return self.source.now(), self.source.story(order_id), alerts, mark

    def _page(self, page: str, session: Session, now: Micros, **given: Any) -> Response:  # noqa: ANN401
        response = self.pages.show(
            page,
            name=session.name,
            form=self.people.form_token(session),
            signs_out=self.people.header is None,
            writable=self.source.writable,
            now=now,
            **given,
        )
        self.people.keep(response, session)
        return response

    def _to_sign_in(self, session: Session) -> Response:
        if self.people.header is not None:
            raise Problem(403, "Nobody has signed in at the proxy in front of the desk.")
        return RedirectResponse("/sign-in", 303)


def join(listeners: Listeners, topic: Topic, request: Request, address: str) -> Response:
    """Let a page be live; it says by `mark`, or when it comes back by `Last-Event-ID`, what it has read.

    Raises:
        Problem: there is no room.
    """
    mark = request.headers.get("last-event-id") or request.query_params.get("mark", "")
    listener = listeners.join(topic, mark, address)
    if listener is None:
        raise Problem(503, "Too many pages are live; this one shows what was known when it was opened.", 30)
    return listeners.stream(listener)


def _choice(words: dict[str, str]) -> Choice:
    try:
        return read_choice(words)
    except ChoiceError as fault:
        raise Problem(400, str(fault)) from fault


def _options(overview: Overview) -> dict[str, list[tuple[str, str]]]:
    """Give what can be chosen, each with its words and, where it is known, its number of alerts."""

    def counted(column: str, unknown: str, words: dict[str, str]) -> list[tuple[str, str]]:
        said = {NONE: unknown, **words}
        return [(value, f"{said.get(value, for_people(value))} ({count})") for value, count in overview.by(column)]

    return {
        "kind": counted("kind", "", ALERTS),
        "carrier": counted("carrier", "not known", {}),
        "warehouse": counted("warehouse_id", "not known", {}),
        "assignee": counted("assignee", "nobody’s", {}),
        "state": [("new", "New"), ("acknowledged", "Acknowledged")],
        "age": [(age, age) for age in AGES],
    }


def _topic(order_id: str, story: list[Standing]) -> Topic:
    return tuple((order_id, standing.tracking_number) for standing in story)


def _back(form: Form, said: str) -> str:
    """Give the address of the page from which a form was sent: one of the desk's, whatever the form says."""
    if order_id := form.one("order"):
        return f"/order?{urlencode({'id': order_id, 'said': said})}"
    query = _choice(dict(parse_qsl(form.one("query")))).query()
    return f"/?{query}{'&' if query else ''}{urlencode({'said': said})}"


def _said(said: str) -> str:
    """Say how a step went."""
    match = _SAID.fullmatch(said)
    if match is None or match[1] not in _DONE:
        return ""
    changed, asked = int(match[2]), int(match[3])
    rest = "" if changed == asked else f" {asked - changed} stay as they were: somebody was faster, or they are closed."
    return f"{changed} {'alert' if changed == 1 else 'alerts'} {_DONE[match[1]]}.{rest}"
