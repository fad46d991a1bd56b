"""`GET /openapi.json`: the document of the version that is served."""

from fastapi import APIRouter, Request, Response

from api.dependencies import HolderDep

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def get_openapi(request: Request, holder: HolderDep) -> Response:
    """Return it as it was made when the version was loaded."""
    served = holder.current
    body = request.state["openapi"]() if served is None else served.openapi
    return Response(body, media_type="application/json")
