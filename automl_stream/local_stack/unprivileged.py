"""PostgreSQL refuses to run as root. Where we are root, this finds a way to run it as someone else."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec

from automl_stream.local_stack.errors import PrivilegeError

if TYPE_CHECKING:
    from pathlib import Path

# Inside the namespace the process has another uid; outside its files stay root's.
NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
DROP = "import os, sys; os.setgroups([]); os.setgid({gid}); os.setuid({uid}); os.execv(sys.argv[1], sys.argv[1:])"


class Unprivileged(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a command as a user who is not root: a command prefix, and the uid and gid that must own its files."""

    prefix: tuple[str, ...]
    uid: int
    gid: int

    def own(self, directory: Path) -> None:
        """Create the directory, readable by its owner alone, and give it and its content to the user if it is not."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_uid != self.uid:
            for path in (directory, *directory.rglob("*")):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def require_reach(self, program: Path, directory: Path) -> None:
        """Raise PrivilegeError unless the user can run the program and use the directory."""
        for test, path in ("-x", program), ("-w", directory):
            if subprocess.run(
                [*self.prefix, shutil.which("test") or "/usr/bin/test", test, path], check=False
            ).returncode:
                message = (
                    f"PostgreSQL does not run as root, and the user nobody cannot reach {path}: "
                    "run automl-stream as an ordinary user, or install it and choose a --home where every user may go."
                )
                raise PrivilegeError(message)


def unprivileged() -> Unprivileged:
    """Return the way that works here: as we are, in a user namespace, or as nobody."""
    if os.geteuid() != 0:
        return Unprivileged(prefix=(), uid=os.geteuid(), gid=os.getegid())
    if namespaces_work():
        return Unprivileged(prefix=NAMESPACE, uid=0, gid=0)
    nobody = pwd.getpwnam("nobody")
    drop = DROP.format(uid=nobody.pw_uid, gid=nobody.pw_gid)
    return Unprivileged(prefix=(sys.executable, "-c", drop), uid=nobody.pw_uid, gid=nobody.pw_gid)


def namespaces_work() -> bool:
    """Return whether this kernel lets us make a user namespace (containers often may not)."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
