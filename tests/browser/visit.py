"""A page that a test has opened in the browser, and all that it said and asked for."""

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Page, Route

from tests.support import artifacts
from tests.support.processes import LONG_SECONDS

_KEEP_MS = 10_000
_FILES = re.compile(r"^https?://[^/]+(/tools/lifeboat)?/(page/.*|docs.*|)$")


def _is_a_file(url: str) -> bool:
    return _FILES.match(url) is not None


def _fetch(route: Route) -> None:
    """Fetch a file of the page past Chromium.

    Chromium ends its connections when Docker adds or removes an interface of the machine, as the
    ring of containers does beside this one. The page asks again for data, but a browser does not
    ask again for a module.
    """
    try:
        route.fulfill(response=route.fetch(max_retries=1))
    except Error:
        # If the page has been left or closed meanwhile, nothing is to be answered.
        with suppress(Error):
            route.abort()


class Visit:
    """A page of one API.

    A failed test keeps its screenshot, its HTML and its log (`artifacts`).
    """

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.complaints: list[str] = []
        """Errors and warnings, among them violations of the content security policy."""
        self.elsewhere: list[str] = []
        """Addresses on other hosts."""
        self.expected: set[int] = set()
        """Statuses that the test brings about: a browser notes each as an error on its console."""
        self.may_lose_the_server = False
        """Whether the test stops the server: a browser notes each call that fails, too."""
        self._log: list[str] = []
        self._kept: dict[str, bytes] = {}
        self._is_closed = False
        self._context = browser.new_context(**options)
        self._context.set_default_timeout(1000 * LONG_SECONDS)
        self._context.route(_is_a_file, _fetch)
        self.page = self._context.new_page()
        self._watch(self.page)
        artifacts.keep_of(self)

    def check(self) -> None:
        """Raise AssertionError if the page complained or asked another host."""
        if self.complaints or self.elsewhere:
            self._look()
        assert self.complaints == []
        assert self.elsewhere == []

    def close(self) -> None:
        self._is_closed = True
        self._context.close()

    def has_ended(self) -> bool:
        return self._is_closed

    def keep(self, folder: Path) -> None:
        name = f"page-{self.url.rpartition(':')[2]}"
        (folder / f"{name}.log").write_text("".join(f"{line}\n" for line in self._log))
        if not self._is_closed:
            self._look()
        for suffix, content in self._kept.items():
            (folder / f"{name}{suffix}").write_bytes(content)

    def _look(self) -> None:
        self.page.set_default_timeout(_KEEP_MS)
        self._kept[".html"] = self.page.content().encode()
        self._kept[".png"] = self.page.screenshot()

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._complain(f"error: {error}"))
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("request", lambda request: self._asked(request.url))
        page.on("response", lambda got: self._note(f"{got.status} {got.request.method} {got.url}"))
        page.on(
            "requestfailed", lambda lost: self._note(f"{lost.failure} {lost.method} {lost.url}")
        )
        page.on("crash", lambda _: self._complain("the page crashed"))

    def _console(self, kind: str, text: str) -> None:
        expected = any(f"status of {status} " in text for status in self.expected)
        expected |= self.may_lose_the_server and "net::ERR_" in text
        # Chromium ends its connections when Docker adds or removes an interface of the machine.
        expected |= "net::ERR_NETWORK_CHANGED" in text
        if kind in ("error", "warning") and not expected:
            self._complain(f"{kind}: {text}")
        else:
            self._note(f"console {kind}: {text}")

    def _complain(self, text: str) -> None:
        self._note(f"complaint: {text}")
        self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url + "/", "blob:", "data:")):
            self._note(f"elsewhere: {url}")
            self.elsewhere.append(url)

    def _note(self, line: str) -> None:
        self._log.append(f"{time.strftime('%H:%M:%S')} {line}")
