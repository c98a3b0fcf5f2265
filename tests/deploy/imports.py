"""What a module imports from outside when it starts: found in the code, ours followed, nothing run."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def foreign_imports(module: str) -> set[str]:
    """Top-level names of others' modules that `python -m module` imports before it does anything."""
    seen: set[Path] = set()
    waiting, found = [f"{module}.__main__", module], set()
    while waiting:
        for file in _files(waiting.pop()):
            if file in seen:
                continue
            seen.add(file)
            for name in _imported(ast.parse(file.read_text("utf-8")).body):
                top = name.partition(".")[0]
                if (ROOT / top).is_dir():
                    waiting.append(name)
                else:
                    found.add(top)
    return found


def _files(name: str) -> Iterator[Path]:
    """The file of a module, or of what has it as a name, and those of the packages around it."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        path = ROOT.joinpath(*parts[:length])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
        elif isinstance(statement, ast.If) and "TYPE_CHECKING" not in ast.unparse(statement.test):
            yield from _imported([*statement.body, *statement.orelse])
