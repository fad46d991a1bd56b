"""A page of the documentation, carried out."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from tests.support.documents import Block, Command, commands
from tests.support.likeness import ID, difference
from tests.support.processes import (
    ROOT,
    RUN_SECONDS,
    Process,
    clean_environment,
    free_port,
    wait_for,
)

_ADDRESS = re.compile(r"(localhost|127\.0\.0\.1):8000\b")


class Walk:
    """One page carried out from its top, in a copy of the checkout, against its `make run`."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "lifeboat"
        self._port = free_port()
        self._running: list[Process] = []
        self._ids: dict[str, str] = {}
        _copy_checkout(self.checkout)
        self._environment = clean_environment() | {"LIFEBOAT_PORT": str(self._port)}

    def end(self) -> None:
        """As a person ends it."""
        for process in self._running:
            if process.is_running():
                process.stop(signal.SIGTERM)
        wait_for(lambda: not self._left_over(), why="processes are left over")
        for process in self._running:
            process.end()

    def _left_over(self) -> list[int]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd().startswith(str(self.checkout)):
                    found.append(process.pid)
        return found

    def take(self, block: Block) -> None:
        if block.file:
            (self.checkout / block.file).write_text(block.text)
            return
        for command in commands(block):
            try:
                self._carry_out(command)
            except AssertionError as error:
                where = f"{block.page}, line {block.line}: {command.text}"
                raise AssertionError(f"{where}\n{error}") from error

    def _carry_out(self, command: Command) -> None:
        text = self._own(command.text)
        if re.search(r"\bmake run\b", text):
            self._start(text, command.output or "...Ready to predict...")
            return
        if not self._running and re.search(r"localhost:|\bretrain\b", text):
            self._start("make run", "...Ready to predict...")
        if command.output is None:
            self._run(text)
            return
        # Asking changes nothing, and what a run leads to is not there at once.
        asks = text.startswith("curl ") and not re.search(r" -X| --request", text)
        found = ""

        def is_alike() -> bool:
            nonlocal found
            found = self._difference(command.output or "", self._run(text))
            return not found

        if asks:
            try:
                wait_for(is_alike, seconds=RUN_SECONDS, pause=0.3)
            except AssertionError:
                raise AssertionError(found) from None
        else:
            assert is_alike(), found

    def _own(self, text: str) -> str:
        """The command with this walk's port, and the ids that it has met for those of the page."""
        text = _ADDRESS.sub(rf"\1:{self._port}", text)
        return ID.sub(lambda found: self._ids.get(found[0], found[0]), text)

    def _run(self, text: str) -> str:
        result = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=self.checkout,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
        )
        assert result.returncode == 0, f"exit status {result.returncode}: {result.stdout[-3000:]}"
        return result.stdout

    def _difference(self, shown: str, actual: str) -> str:
        return difference(shown, re.sub(rf"\b{self._port}\b", "8000", actual), self._ids)

    def _start(self, text: str, shown: str) -> None:
        for process in self._running:
            if process.is_running():
                process.stop(signal.SIGTERM)
        log = self.checkout.parent / f"run-{len(self._running)}.log"
        environment = {"LIFEBOAT_PORT": str(self._port), "PYTHONPATH": ""}
        process = Process(["bash", "-c", text], log, environment, self.checkout)
        self._running.append(process)
        wait_for(
            lambda: not self._difference(shown, process.output()) or not process.is_running(),
            seconds=RUN_SECONDS,
            why=process.output,
        )
        assert process.is_running(), process.output()[-3000:]


def _copy_checkout(target: Path) -> None:
    """What git would give, as it stands here, with the virtual environment of this checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    os.symlink(ROOT / ".venv", target / ".venv")
