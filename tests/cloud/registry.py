"""A registry of images on 127.0.0.1."""

from pathlib import Path

from tests.cloud.tools import debian_tool
from tests.support.processes import Process, free_port


class Registry:
    """Debian's docker-registry; what is pushed lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.program = debian_tool("docker-registry")
        self.configuration = folder / "registry.yml"
        self.configuration.write_text(
            "version: 0.1\n"
            "log: {level: warn}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder / 'pushed'}}}}}\n"
            f"http: {{addr: {self.address}}}\n"
        )
        self._process = Process(
            [str(self.program), "serve", str(self.configuration)], folder / "registry.log", {}
        )

    def end(self) -> None:
        self._process.end()
