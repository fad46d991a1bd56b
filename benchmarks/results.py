"""`benchmarks/results.md`: a section per benchmark, each replaced by its next run."""

import math
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results.md"
_TITLE = "# Results\n\nEach section is written by the command that it names.\n"
_CPU_INFO = Path("/proc/cpuinfo")


def write_section(title: str, text: str, path: Path = RESULTS) -> None:
    """Replaces the section `## title`, or adds it as the last one."""
    before = path.read_text() if path.exists() else _TITLE
    head, *sections = re.split(r"(?m)^(?=## )", before)
    section = f"## {title}\n\n{text.strip()}\n\n"
    is_this = [old.splitlines()[0] == f"## {title}" for old in sections]
    if any(is_this):
        sections[is_this.index(True)] = section
    else:
        sections.append(section)
    parts = [part.strip() for part in (head, *sections)]
    path.write_text("\n\n".join(parts) + "\n")


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of the others do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def short(number: float) -> str:
    """Three digits; more would be noise."""
    if number >= 1000:
        unit = 10 ** (len(str(int(number))) - 3)
        return f"{round(number / unit) * unit:,}"
    return f"{number:.3g}"


def passengers(rows: int) -> str:
    return f"{rows:,} passenger{'s' * (rows > 1)}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """In Markdown; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def machine() -> str:
    """What a reader needs to know of this machine, in a line; nothing that names it."""
    cores = psutil.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {_cpu()}, {cores} cores, {memory:.0f} GiB of memory, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def _cpu() -> str:
    if _CPU_INFO.exists():
        names = re.findall(r"(?m)^model name\s*:\s*(.+)$", _CPU_INFO.read_text())
        if names:
            return str(names[0])
    return platform.processor() or "unknown CPU"
