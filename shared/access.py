"""How settings write who may call the API, and by which way: keys, host names, origins, proxies."""

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]|\*")
_ORIGIN = re.compile(r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?|\*")
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")

PATHS_OF_THE_API = frozenset(
    {
        *("docs", "health", "jobs", "metrics", "models", "openapi.json", "page", "predict"),
        *("processes", "run-pipeline", "v2"),
    }
)
"""First parts of the paths that the API has itself."""


def listed(text: str) -> list[str]:
    """Return the items of a list that is separated by commas or blanks."""
    return text.replace(",", " ").split()


def keys(text: str) -> list[str]:
    """Return the keys of a text that has one in each line; a key may hold commas and blanks."""
    lines = (line.strip(" \t\r") for line in text.split("\n"))
    return [line for line in lines if line]


def _each(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        items = [item.lower() for item in listed(text)]
        for item in items:
            if not pattern.fullmatch(item):
                raise ValueError(f"expected {expected}, found '{item}'")
        return ",".join(items)

    return check


def _check_networks(text: str) -> str:
    items = listed(text)
    for item in items:
        try:
            ipaddress.ip_network(item)
        except ValueError:
            raise ValueError(
                "expected addresses or networks, such as 10.0.0.2 or 172.16.0.0/12, and commas, "
                f"found '{item}'"
            ) from None
    return ",".join(items)


def _check_root_path(text: str) -> str:
    path = text.strip().rstrip("/")
    if not _ROOT_PATH.fullmatch(path):
        raise ValueError(f"expected a path such as /lifeboat, found '{text}'")
    first = path[1:].partition("/")[0]
    if first in PATHS_OF_THE_API:
        # A request to /models/x could be one to /x, if the proxy leaves the path as it is.
        raise ValueError(f"/{first} is a path of the API's own; choose another, such as /lifeboat")
    return path


Hosts = Annotated[
    str,
    AfterValidator(
        _each(_HOST, "host names without ports, such as example.org or *.example.org, and commas")
    ),
]
Origins = Annotated[
    str,
    AfterValidator(
        _each(_ORIGIN, "origins such as https://example.org, without a path, and commas")
    ),
]
Networks = Annotated[str, AfterValidator(_check_networks)]
RootPath = Annotated[str, AfterValidator(_check_root_path)]
