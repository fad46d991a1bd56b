"""Swagger UI at `/docs`: every call, to read and to try, without any other host.

The two files of Swagger UI lie in the package fastapi-offline, byte for byte as in npm's
swagger-ui-dist. The package is used as a folder only: nothing imports it, and it has no
dependencies beyond FastAPI. FastAPI's `/redoc` is not served, because Redoc writes style elements
into the page and starts a script from a blob, and the policy of the pages forbids both.
"""

import os

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from api.routes.page import FOLDER, HEADERS, PageFiles

_SERVED = ("swagger-ui-bundle.js", "swagger-ui.css")
"""The package has Redoc, too: another megabyte."""

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def get_docs() -> Response:
    """Return the frame of the page, in which `/page/docs.js` starts Swagger UI."""
    return FileResponse(FOLDER / "docs.html", headers=HEADERS)


class _SwaggerFiles(PageFiles):
    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return super().lookup_path(path) if path in _SERVED else ("", None)


files = _SwaggerFiles(packages=[("fastapi_offline", "static")])
