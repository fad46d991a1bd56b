"""The page at `/`: static files, which call the API as any client does."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

_FILES = Path(__file__).parent.parent / "page"
_HEADERS = {
    # Nothing but what this server has: no other host, no script or style within a page.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    # Asked for each time, and mostly answered with 304: a new release is seen at once.
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def get_page() -> Response:
    """The page; it finds the rest of itself under `/page`."""
    return FileResponse(_FILES / "index.html", headers=_HEADERS)


class _PageFiles(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_HEADERS)
        return response


# Not a route of the router: FastAPI's takes over no mounts.
files = _PageFiles(directory=_FILES)
