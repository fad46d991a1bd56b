"""A folder as a Python package of its own: imported anew by each run, and never on `sys.path`."""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import NoReturn

from shared.errors import DefinitionBroken

NAME = "lifeboat_definition"
"""The name of the package, whatever the folder is called: that of a library would hide either."""

_MOST_SAID = 300

log = logging.getLogger(__name__)


class _Source(SourceFileLoader):
    """Compiles a module from its source each time.

    A `.pyc` file is taken for fresh if a file was mended within a second and kept its size. Nor
    could one be written if the folder is mounted read-only.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class _Finder:
    """Finds the modules of the package, and no others; also those that a fit imports late."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(f"{NAME}.") or not path:
            return None
        # A new finder each time, because a finder remembers what is in its folder.
        return FileFinder(next(iter(path)), (_Source, SOURCE_SUFFIXES)).find_spec(name)


class Package:
    """The package of one folder; making it drops the modules of the folder before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._home = folder.resolve()
        for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
            del sys.modules[name]
        if _Finder not in sys.meta_path:
            sys.meta_path.insert(0, _Finder)
        spec = ModuleSpec(NAME, None, is_package=True)
        spec.submodule_search_locations = [str(self._home)]
        sys.modules[NAME] = importlib.util.module_from_spec(spec)

    def module(self, name: str) -> ModuleType:
        """Import a module of the folder. Raises DefinitionBroken, whatever its code raises."""
        try:
            return importlib.import_module(f"{NAME}.{name}")
        except (Exception, SystemExit) as error:
            self.refuse(error, f"{name}.py", "")

    def refuse(self, error: BaseException, file: str, call: str) -> NoReturn:
        """Raise DefinitionBroken for what the folder's code raised: a sentence with the place.

        `call` is what was called, such as `fit(X, y)`; "" if the file was being imported.
        """
        file, line = next(self._places(error), (file, None))
        where = str(self.folder / file) + (f", line {line}" if line else "")
        sentence = f"{where}: {self._said(error, call)}"
        log.error("%s", sentence, exc_info=error)
        raise DefinitionBroken(sentence) from error

    def _places(self, error: BaseException) -> Iterator[tuple[str, int | None]]:
        """Yield the files of the folder, with lines, that an error went through; nearest first."""
        steps: list[tuple[str, int | None]] = []
        step = error.__traceback__
        while step is not None:
            steps.append((step.tb_frame.f_code.co_filename, step.tb_lineno))
            step = step.tb_next
        if isinstance(error, SyntaxError) and error.filename:
            steps.append((error.filename, error.lineno))
        for path, line in reversed(steps):
            if Path(path).is_relative_to(self._home):
                yield str(Path(path).relative_to(self._home)), line

    def _said(self, error: BaseException, call: str) -> str:
        """Return what is wrong and what to do."""
        doing = f"{call} " if call else ""
        if isinstance(error, SystemExit):
            return f"{doing}ended its process by SystemExit({error.code!r}); remove that call"
        if isinstance(error, ModuleNotFoundError) and error.name:
            return doing + self._missing(error.name)
        said = _text(error).replace(f"{self._home}/", "").replace(str(self._home), "the folder")
        kind = type(error).__name__
        if isinstance(error, SyntaxError):
            return f"is not valid Python: {error.msg}; correct that line"
        raised = f"{kind}: {said}" if said else kind
        if call:
            return f"{call} raised {raised}; correct it (the worker's log has the traceback)"
        return f"cannot be imported: {raised}; correct it (the worker's log has the traceback)"

    def _missing(self, name: str) -> str:
        """Return what to do about a module that is not there."""
        if name.startswith(f"{NAME}."):
            own = name.removeprefix(f"{NAME}.")
            return (
                f"imports .{own}, but the folder has no {own.replace('.', '/')}.py; add the file, "
                "or correct the name"
            )
        top = name.partition(".")[0]
        if (self._home / f"{top}.py").exists() or (self._home / top).is_dir():
            return (
                f"imports {name}, which is in this folder, but the folder is not on sys.path; "
                f"write `from .{name} import ...`"
            )
        return (
            f"imports {name}, which is not installed where the worker runs; install it there, or "
            "correct the name (requirements.txt in this folder is built into the worker's image)"
        )


def _text(error: BaseException) -> str:
    """Return the first line of what an error says."""
    try:
        said = str(error)
    except Exception:
        return ""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if type(error).__name__ == "SchemaError":
        # Pydantic's core says where it was before it says what is wrong there.
        lines = [line.replace("SchemaError: ", "") for line in lines]
        lines = [" ".join([line for line in lines if line.startswith("Field ")] + lines[-1:])]
    # Other errors of Pydantic's begin with what is wrong, and end with an address.
    return lines[0][:_MOST_SAID].rstrip(".;:") if lines else ""
