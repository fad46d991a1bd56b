"""Requests of a page that do not get their answer before the test says so."""

from playwright.sync_api import Page, Route

from tests.support.processes import LONG_SECONDS

_LOOK_MS = 20


class HeldBack:
    """Holds every request of the page for a URL pattern from now on."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url
        self._routes: list[Route] = []
        page.route(url, lambda route: self._routes.append(route))

    def wait(self) -> None:
        """Wait until the page has sent the request, and only one."""
        for _ in range(int(1000 * LONG_SECONDS) // _LOOK_MS):
            if self._routes:
                break
            # Playwright handles what the browser reports while it waits, and not in time.sleep.
            self._page.wait_for_timeout(_LOOK_MS)
        assert len(self._routes) == 1, f"{len(self._routes)} requests for {self._url}"

    def release(self) -> None:
        """Let the request go on."""
        self.wait()
        self._routes[0].continue_()
