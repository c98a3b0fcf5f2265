"""Regenerate kafka.lock.toml: ``python -m automl_stream.local_stack.jar_lock``, after changing ROOTS."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from jgo.maven import MavenContext

# slf4j-simple: without a backend the broker logs nothing. Its version must be that of the slf4j-api Kafka resolves to.
ROOTS = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")


def resolve_lock(roots: tuple[str, ...], repository: Path) -> str:
    """Resolve the roots on Maven Central, download every jar into ``repository``, and return the lock as TOML."""
    maven = MavenContext(repo_cache=repository)
    inputs, transitive = maven.resolver.resolve([maven.create_dependency(root) for root in roots])
    jars = {dependency.artifact for dependency in (*inputs, *transitive) if dependency.scope != "test"}
    lines = [
        "# Written by `python -m automl_stream.local_stack.jar_lock`. Do not edit.",
        f"roots = [{', '.join(repr(root).replace(chr(39), chr(34)) for root in roots)}]",
    ]
    for jar in sorted(jars, key=str):
        content = jar.resolve().read_bytes()
        lines += [
            "",
            "[[jars]]",
            f'coordinate = "{jar.groupId}:{jar.artifactId}:{jar.version}"',
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
            f"size = {len(content)}",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as repository:
        Path(__file__).with_name("kafka.lock.toml").write_text(resolve_lock(ROOTS, Path(repository)))
