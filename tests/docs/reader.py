"""A reader in a folder of their own, who types what the pages say."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from automl_stream.local_stack.ports import Ports, unused_ports
from automl_stream.local_stack.supervisor import end_stack
from tests.docs.reading import TOP

PATIENCE_SECONDS = 300
NAMES = Ports.__struct_fields__


class Reader:
    """The programs are those of this environment, the ports others than the pages say: theirs may be taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports, written = unused_ports(), Ports()
        self._ports = {str(getattr(written, name)): str(getattr(ports, name)) for name in NAMES}
        self._environment = os.environ | {port.variable: str(port.number) for port in ports.of(*NAMES)} | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "pipelines").symlink_to(TOP / "pipelines")
        self._running: list[subprocess.Popen[str]] = []

    def types(self, lines: str, *, patience: float = PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run lines in one shell, to their end; it stops at the first that fails."""
        return subprocess.run(["/bin/bash", "-ec", self._here(lines)], cwd=self.folder, env=self._environment,
                              check=False, capture_output=True, text=True, timeout=patience)

    def starts(self, line: str, until: str) -> None:
        """Run a line that goes on, and wait until it has said this."""
        process = subprocess.Popen(["/bin/bash", "-ec", f"exec {self._here(line)}"], cwd=self.folder,
                                   env=self._environment, stdout=subprocess.PIPE, text=True)
        self._running.append(process)
        said = ""
        assert process.stdout
        while until not in said:
            said += (read := process.stdout.readline())
            assert read, f"it ended: {said}"

    def leaves(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGINT)
        end_stack(self.folder / ".automl-stream")
        for process in self._running:
            process.communicate(timeout=PATIENCE_SECONDS)

    def _here(self, lines: str) -> str:
        for written, ours in self._ports.items():
            lines = lines.replace(f":{written}", f":{ours}")
        return lines
