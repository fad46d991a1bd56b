"""The HAProxy of this machine in the place of the image of the profile `edge`."""

import os
import re
import shutil
import subprocess
from pathlib import Path

_WRAPPER = """#!/bin/sh
exec /haproxy/{loader} --library-path /haproxy /haproxy/executable "$@"
"""

_OVERRIDE = """
services:
  edge:
    image: {image}
    user: "65534:65534"
    volumes:
      - {folder}:/haproxy:ro
      - {folder}/wrapper:/usr/local/sbin/haproxy:ro
"""


def executable() -> str | None:
    """Return the path of HAProxy, which Debian puts where only root looks."""
    return shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")


def stand_in(folder: Path, image: str) -> Path | None:
    """Write an override for Compose in which `image` runs the HAProxy of PATH; None without one.

    The executable brings its libraries and their loader, so it does not matter which distribution
    the image is of.
    """
    found = executable()
    if found is None:
        return None
    listed = subprocess.run(["ldd", found], check=True, capture_output=True, text=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", listed)
    for library in libraries:
        shutil.copy(library, folder)
    shutil.copy(found, folder / "executable")
    (loader,) = (Path(library).name for library in libraries if Path(library).name.startswith("ld"))
    wrapper = folder / "wrapper"
    wrapper.write_text(_WRAPPER.format(loader=loader))
    wrapper.chmod(0o755)
    folder.chmod(0o755)
    override = folder / "edge.yml"
    override.write_text(_OVERRIDE.format(image=image, folder=folder))
    return override
