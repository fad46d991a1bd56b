"""Google's entry point, `predict`."""

import flask
import functions_framework

from deploy.functions.predict import answer


@functions_framework.http
def predict(request: flask.Request) -> flask.Response:
    """Answer an HTTP request."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    found = answer(request.method, request.path, headers, request.get_data())
    return flask.Response(found.body, found.status, found.headers)
