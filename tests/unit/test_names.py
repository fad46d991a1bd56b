"""Documents, docstrings and comments name no file, module or symbol that is not there.

A symbol is a word between backticks that looks like code. It has to be in the code of the checkout:
as a name in Python, or as any word of the other files. Comments and docstrings do not count.
"""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.support.processes import ROOT
from tests.support.tree import (
    ROOMS,
    docstrings,
    documents,
    modules,
    other_files,
    python_files,
)

_FOLDERS = (*ROOMS, "tests", "benchmarks", "docs", "monitoring", "notebooks", "requirements")
_PATH = re.compile(rf"(?<![\w./:-])(?:{'|'.join(_FOLDERS)})/[\w./-]*\w")
_FILE = re.compile(r"[\w-]+\.(?:py|lua|js|css|html|toml)")
_MODULE = re.compile(rf"(?<![\w./:-])(?:{'|'.join(ROOMS)})(?:\.(?!py\b)[a-z_]\w*)+")
_SYMBOL = re.compile(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)*(\(\))?")

_ELSEWHERE = {
    # scikit-learn's, which does not convert exactly.
    "HistGradientBoostingClassifier",
    # Google's, which obstore reads.
    "GOOGLE_APPLICATION_CREDENTIALS",
    # OpenTelemetry's, which reads it by itself.
    "OTEL_TRACES_SAMPLER",
    # Pydantic's, the beginning of the names that it protects.
    "model_",
}
"""What documents name of other programs, and no file here does."""


def _looks_like_code(token: str) -> bool:
    return bool(re.search(r"[_.:]|\(\)$|[a-z][A-Z]", token) or re.fullmatch(r"[A-Z]{3,}", token))


def _prose(path: Path) -> str:
    """Return what a file says to its readers: a page without its code, or comments of code."""
    text = path.read_text()
    if path.suffix == ".md":
        return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)
    if path.suffix == ".py":
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
        said = [str(docstring.value) for docstring in docstrings(ast.parse(text))]
        return "\n".join(comments + said)
    marks = {".lua": "--", ".js": "//"}
    mark = re.escape(marks.get(path.suffix, "#"))
    return "\n".join(re.findall(rf"(?:^|\s){mark}(.*)$", text, re.M))


@cache
def _words_of_the_code() -> set[str]:
    words: set[str] = set()
    for path in set(python_files()) - {Path(__file__)}:
        tree = ast.parse(path.read_text())
        said = {id(docstring) for docstring in docstrings(tree)}
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                    words.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    words.add(name)
                case ast.ClassDef(name=name) | ast.keyword(arg=str(name)):
                    words.add(name)
                case ast.alias(name=name) | ast.ImportFrom(module=str(name)):
                    words.update(name.split("."))
                case ast.Constant(value=str(text)) if id(node) not in said:
                    words.update(re.findall(r"\w+", text))
    for path in other_files():
        text = path.read_text()
        if path.suffix not in {".json", ".ipynb", ".css", ".html", ".csv"}:
            mark = {".lua": "--", ".js": "//"}.get(path.suffix, "#")
            text = "\n".join(
                line for line in text.splitlines() if not line.lstrip().startswith(mark)
            )
        words.update(re.findall(r"\w+", text))
    return words


@cache
def _file_names() -> set[str]:
    return {path.name for path in (*documents(), *python_files(), *other_files())}


@cache
def _values() -> object:
    return yaml.safe_load((ROOT / "deploy" / "helm" / "lifeboat" / "values.yaml").read_text())


def _is_a_value(dotted: str) -> bool:
    """Return whether the Helm chart has a value of this name, such as `worker.replicas`."""
    found = _values()
    for part in dotted.split("."):
        if found == {}:
            # Of any names, such as annotations.
            return True
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


def _is_there(dotted: str) -> bool:
    """Return whether a dotted name is a module's, of something in a module, or a chart's value."""
    if _is_a_value(dotted):
        return True
    path = ROOT
    parts = dotted.split(".")
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    if parts and (path / f"{parts[0]}.py").exists():
        module = path / f"{parts.pop(0)}.py"
    else:
        module = path / "__init__.py"
    return set(parts) <= set(re.findall(r"\w+", module.read_text()))


def missing(prose: str) -> set[str]:
    """Return what a text names and the checkout does not have."""
    found = {path for path in _PATH.findall(prose) if not (ROOT / path).exists()}
    found |= {dotted for dotted in _MODULE.findall(prose) if not _is_there(dotted)}
    for token in re.findall(r"`([^`\n]+)`", prose):
        if _FILE.fullmatch(token):
            found |= {token} - _file_names()
        elif _SYMBOL.fullmatch(token) and _looks_like_code(token) and token not in _file_names():
            words = set(re.findall(r"\w+", token)) - _ELSEWHERE
            if not words <= _words_of_the_code():
                found.add(token)
    return found


@pytest.mark.parametrize(
    "path",
    [*documents(), *modules(), *other_files()],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_nothing_is_named_that_is_not_there(path: Path) -> None:
    assert not missing(_prose(path))


@pytest.mark.parametrize(
    "path", [*documents(), *other_files()], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_command_and_no_example_names_a_module_that_is_not_there(path: Path) -> None:
    assert not {name for name in _MODULE.findall(path.read_text()) if not _is_there(name)}


def test_a_name_that_is_nowhere_is_found() -> None:
    here = "`shared/jobs/store.py`, `JobStore.get` and `redis_keys` in tests/unit/test_names.py"
    assert missing(here + ", `worker.replicas` and api.podLabels.team") == set()
    gone = "`shared/job_store.py`, shared.processes, `job_statistics`, `dataset.py` and `SUCCEED`"
    assert missing(gone + ", worker.copies") == {
        *("shared/job_store.py", "shared.processes", "job_statistics", "dataset.py", "SUCCEED"),
        "worker.copies",
    }
