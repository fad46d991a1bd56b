"""The variables that settings come from: those of the process, and before them those of `.env`."""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

PREFIX = "LIFEBOAT_"
FILE = ".env"

MOST_BYTES = 64 * 1024
"""Most bytes of a file with keys or a password."""

READ_ELSEWHERE = frozenset(
    {
        "EDGE_PORT",
        "EXTRAS",
        "IMAGE",
        "IMAGE_TAG",
        "PUBLISH_ADDRESS",
        "REPLICA_PORTS",
        "VERSION",
        "WORKER_MEMORY",
    }
)
"""Names, without the prefix, that `docker-compose.yml` reads and that are not settings."""

_KUBERNETES = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
"""What Kubernetes tells each container of every service whose name begins with `lifeboat`."""
_KUBERNETES_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+")
"""Kubernetes' value of `LIFEBOAT_PORT`, and of others' ports."""

_VARIABLE = (
    r"\$(?P<dollar>\$)|\$(?P<bare>[A-Za-z_]\w*)"
    r"|\$\{(?P<name>[A-Za-z_]\w*)(?:(?P<operator>:?[-+])(?P<word>[^}]*))?\}"
)
_IN_PLAIN = re.compile(rf"(?P<escaped>(?!))|{_VARIABLE}")
_IN_QUOTES = re.compile(rf"\\(?P<escaped>[\\\"nrt$])|{_VARIABLE}")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_DOUBLE_QUOTED = re.compile(r'[^=]*=\s*"((?:\\.|[^"\\])*)"', re.DOTALL)
_SINGLE_QUOTED = re.compile(r"[^=]*=\s*'", re.DOTALL)


class UnreadableFile(Exception):
    """Raised when a file of settings or of a secret cannot be read; the message says why."""


@dataclass(slots=True)
class Environment:
    """The variables with our prefix, by their names without it, and what is odd about them."""

    values: dict[str, str] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)

    def unknown(self, known: Iterable[str]) -> list[str]:
        """Return a sentence for each variable that nobody reads, with the name that is meant."""
        names = {*known, *READ_ELSEWHERE}
        squeezed = {name.replace("_", ""): name for name in names}
        sentences = []
        for name, value in self.values.items():
            if name in names or _is_of_kubernetes(name, value):
                continue
            near = difflib.get_close_matches(name.replace("_", ""), squeezed, n=1, cutoff=0.75)
            hint = f"is {PREFIX}{squeezed[near[0]]} meant?" if near else "is its name misspelt?"
            sentences.append(f"{PREFIX}{name} is set, but Lifeboat has no such setting; {hint}")
        return sentences


def read(file: str | None) -> Environment:
    """Read the variables of `file`, if it exists, and of this process, which win.

    An empty variable is not set. Raises UnreadableFile.
    """
    found = Environment()
    of_file = {}
    if file is not None and Path(file).is_file():
        of_file = _variables_of(Path(file), found.oddities)
    empty: set[str] = set()
    for variable, value in (*of_file.items(), *os.environ.items()):
        if not variable.upper().startswith(PREFIX):
            continue
        name = variable.upper().removeprefix(PREFIX)
        if not value.strip():
            empty.add(name)
        elif name == "PORT" and _KUBERNETES_ADDRESS.fullmatch(value):
            found.oddities.append(
                f"LIFEBOAT_PORT={value} is ignored: Kubernetes sets it for a service called "
                "lifeboat. Set enableServiceLinks: false, or LIFEBOAT_PORT to a number"
            )
        else:
            found.values[name] = value
    # What Cloud Run, Heroku and others tell a container.
    port = os.environ.get("PORT", "").strip()
    if port.isascii() and port.isdigit():
        found.values.setdefault("PORT", port)
    found.oddities += [
        f"{PREFIX}{name} is empty, which counts as not set: there is no key"
        for name in empty - found.values.keys()
        if name.endswith("_KEY") and f"{name}_FILE" not in found.values
    ]
    return found


def read_text(file: Path) -> str:
    """Return the content of a file with a key or a password, without a byte order mark and blanks
    around it. Raises UnreadableFile."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UnreadableFile(
                f"{file} cannot be read: expected a key or a password, found more than "
                f"{MOST_BYTES:,} bytes; name another file"
            )
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UnreadableFile(
            f"{file} cannot be read: it is not text in UTF-8; save it as UTF-8"
        ) from None
    except OSError as error:
        raise UnreadableFile(f"{file} cannot be read: {error.strerror or error}") from None


def _is_of_kubernetes(name: str, value: str) -> bool:
    is_address = name.endswith("_PORT") and _KUBERNETES_ADDRESS.fullmatch(value)
    return bool(is_address or _KUBERNETES.fullmatch(name))


def _variables_of(file: Path, oddities: list[str]) -> dict[str, str]:
    """Return the variables of a `.env`, expanded as Docker Compose expands them."""
    variables: dict[str, str] = {}
    for binding in _bindings(file):
        if binding.error:
            # Without the line itself, which may hold a key.
            oddities.append(f"{file}, line {binding.original.line}: expected NAME=value")
        elif binding.key is not None and binding.value is not None:
            variables[binding.key] = _expand(binding, {**variables, **os.environ})
    return variables


def _bindings(file: Path) -> Iterator[Binding]:
    try:
        with file.open(encoding="utf-8-sig") as stream:
            yield from parse_stream(stream)
    except UnicodeDecodeError:
        raise UnreadableFile(f"{file}: expected text in UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise UnreadableFile(f"{file} cannot be read: {error.strerror or error}") from None


def _expand(binding: Binding, variables: Mapping[str, str]) -> str:
    """Return the value with `$NAME`, `${NAME}`, `${NAME:-word}` and `$$` replaced.

    What stands between single quotes is taken as it is.
    """
    text = binding.value or ""
    if _SINGLE_QUOTED.match(binding.original.string):
        return text
    quoted = _DOUBLE_QUOTED.match(binding.original.string)

    def replaced(match: re.Match[str]) -> str:
        if escaped := match["escaped"]:
            return _ESCAPES.get(escaped, escaped)
        if match["dollar"]:
            return "$"
        value = variables.get(match["bare"] or match["name"])
        operator, word = match["operator"] or "", match["word"] or ""
        present = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("+"):
            return word if present else ""
        return (value or "") if present or not operator else word

    return _IN_QUOTES.sub(replaced, quoted[1]) if quoted else _IN_PLAIN.sub(replaced, text)
