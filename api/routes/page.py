"""The page at `/`: static files, which call the API as any client does."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent.parent / "page"
HEADERS = {
    # A page uses only what this server has: no other host, no script or style inside the HTML.
    # Swagger UI at /docs needs nothing more. Its style sheet is what needs images as data: URLs.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    # The browser asks for each file every time, and mostly gets a 304: a new release is seen at
    # once.
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def get_page() -> Response:
    """Return the page, which finds the rest of itself under `/page`."""
    return FileResponse(FOLDER / "index.html", headers=HEADERS)


class PageFiles(StaticFiles):
    """Static files under the policy of the pages."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(HEADERS)
        return response


# A mount, because a FastAPI router includes no mounts of another router.
files = PageFiles(directory=FOLDER)
