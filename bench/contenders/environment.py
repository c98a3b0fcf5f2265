"""The environment of a contender whose dependencies do not go with ours: made once by uv from a lock with hashes."""

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from bench.result import say

ROOT = Path(__file__).parents[2]


def python_of(name: str) -> str:
    """The interpreter of .bench/<name>, which is made, or made again, when bench/contenders/<name>.txt has changed.

    Raises:
        FileNotFoundError: without uv.
        subprocess.CalledProcessError: when the packages cannot be had; uv has said why.
    """
    lock, home = Path(__file__).with_name(f"{name}.txt"), ROOT / ".bench" / name
    python, made_from = home / "bin" / "python", home / "made-from"
    digest = sha256(lock.read_bytes()).hexdigest()
    if made_from.exists() and made_from.read_text() == digest:
        return str(python)
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        raise FileNotFoundError(f"uv is needed to make {home}: `make setup` installs it, or see https://docs.astral.sh/uv")
    say(f"{name}: making {home.relative_to(ROOT)} (once)")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, home], check=True, stdout=sys.stderr)
    # --no-config: our own constraints name no hashes
    subprocess.run([uv, "pip", "install", "--no-config", "--python", python, "--require-hashes", "-r", lock],
                   check=True, stdout=sys.stderr)
    made_from.write_text(digest)
    return str(python)
