"""Signing in and out, where the desk itself knows who somebody is."""

import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.desk.forms import read_form
from services.desk.guesses import Guesses
from services.desk.metrics import Metrics
from services.desk.pages import Pages
from services.desk.people import COOKIE, People, Session
from services.desk.problems import Problem
from services.desk.steps import StepError

_RATE, _AT_ONCE = 0.05, 5
_ALL_RATE, _ALL_AT_ONCE = 1.0, 20
"""Wrong passwords a second, and at once, of one address and of all: each of them costs the processor dear."""


class SignIn:
    """The page, and what it sends."""

    def __init__(self, people: People, patience: float, pages: Pages, metrics: Metrics) -> None:
        """Take all it needs, and in how many seconds a form must come."""
        self.people = people
        self.patience = patience
        self.pages = pages
        self.metrics = metrics
        self._tries = Guesses(_RATE, _AT_ONCE, _ALL_RATE, _ALL_AT_ONCE)

    async def show(self, request: Request) -> Response:
        """Ask who somebody is."""
        return self._page(self.people.session(request), "")

    async def sign_in(self, request: Request) -> Response:
        """Let somebody in, or ask again."""
        session = self.people.session(request)
        form = await read_form(request, self.patience)
        if not self.people.sent_here(request, session, form.one("form")):
            return self._page(session, "Please try again; your browser must accept cookies.", 403)
        address = self.people.address(request)
        wait = self._tries.pay(address, time.monotonic())
        if wait:
            self.metrics.sign_ins.labels("held_back").inc()
            raise Problem(429, "Too many tries to sign in; please wait a little.", wait)
        try:
            known = await run_in_threadpool(self.people.sign_in, form.one("name"), form.one("password"))
        except StepError as fault:
            self._tries.right(address)
            return self._page(session, str(fault), 400)
        if known is None:
            self.metrics.sign_ins.labels("wrong").inc()
            return self._page(session, "That name and that password do not go together.", 403)
        self._tries.right(address)
        self.metrics.sign_ins.labels("right").inc()
        response = RedirectResponse("/", 303)
        self.people.keep(response, known)
        return response

    async def sign_out(self, request: Request) -> Response:
        """End a session."""
        session = self.people.session(request)
        form = await read_form(request, self.patience)
        if not self.people.sent_here(request, session, form.one("form")):
            raise Problem(403, "This form is not from a page of yours.")
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(COOKIE, path="/", secure=self.people.secure, httponly=True, samesite="lax")
        return response

    def _page(self, session: Session, said: str, status: int = 200) -> Response:
        response = self.pages.show(
            "sign_in", status, form=self.people.form_token(session), said=said, password=bool(self.people.users)
        )
        self.people.keep(response, session)
        return response
