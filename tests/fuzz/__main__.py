"""Runs the fuzzer; its options are libFuzzer's. `body_parsers` says how, and what is asked."""

import os
import sys
import tempfile
from pathlib import Path

import atheris

# Its coverage leads the fuzzer, so what it goes through has to be imported here.
with atheris.instrument_imports(include=["api", "shared", "tests.fuzz"]):
    from tests.fuzz.body_parsers import SEEDS, WORDS, check


def main() -> int:
    """0, or the status of a fuzzer that has found something."""
    with tempfile.TemporaryDirectory(prefix="lifeboat-fuzz-") as folder:
        # libFuzzer ends its process itself, and would leave the folder behind.
        fuzzer = os.fork()
        if fuzzer == 0:
            _fuzz(Path(folder))
        _, status = os.waitpid(fuzzer, 0)
    return os.waitstatus_to_exitcode(status)


def _fuzz(folder: Path) -> None:
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS):
        (corpus / str(number)).write_bytes(seed)
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
    found = f"-artifact_prefix={tempfile.gettempdir()}/lifeboat-fuzz-"
    inputs = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    options = [f"-dict={words}", found, *sys.argv[1:], *([] if inputs else [str(corpus)])]
    atheris.Setup([sys.argv[0], *options], check)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode("latin-1"))


if __name__ == "__main__":
    sys.exit(main())
