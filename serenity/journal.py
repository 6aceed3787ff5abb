"""A journal: what has been done, one JSON line a job, so that interrupted work goes on where it was.

A job has a key: the digest of all that its result depends on, including the code that does it. A line is appended when
its job is done. So whatever ends the program, even a power cut, loses one job at most: a line that was cut off is
passed over. Of two lines with the same name the later one counts.
"""

import ast
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from serenity.files import write_whole

ROOT = Path(__file__).resolve().parent.parent  # in which `serenity` lies


class Journal:
    """Finished jobs by name. Each has a key: the digest of all that its result depends on."""

    def __init__(self, path: Path):
        """Read what is there; a folder that is missing is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.records = {}
        for line in path.read_bytes().splitlines() if path.exists() else ():
            try:
                record = json.loads(line)
                self.records[record["name"]] = record
            except (ValueError, TypeError, KeyError):  # cut off, or no line of a journal
                continue
        self._rewrite()

    def done(self, name: str, key: str) -> dict | None:
        """Return what is known of a job if it was done with this key, else None."""
        record = self.records.get(name)
        return record if record and record.get("key") == key else None

    def add(self, name: str, key: str, **result) -> None:
        """Note that a job is done."""
        record = {"name": name, "key": key, **result}
        self.records[name] = record
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def keep(self, names: set[str]) -> None:
        """Forget all jobs but these."""
        self.records = {name: record for name, record in self.records.items() if name in names}
        self._rewrite()

    def _rewrite(self) -> None:
        """Write the file again, without lines that no longer count."""
        write_whole(self.path, "".join(json.dumps(record) + "\n" for record in self.records.values()).encode())


def digest(*parts) -> str:
    """Return a digest of bytes, text and numbers: what a result depends on."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part if isinstance(part, bytes) else str(part).encode()).digest())
    return whole.hexdigest()


def code(work: Callable) -> str:
    """Return a digest of the code that a function of Serenity may run: its module and those that this one imports,
    directly or through others."""
    found, todo = {}, [work.__module__]
    while todo:
        module = todo.pop()
        path = ROOT / f"{module.replace('.', '/')}.py"
        if module not in found and path.is_file():
            found[module] = path.read_bytes()
            todo += _imports(found[module])
    return digest(*(part for module in sorted(found) for part in (module, found[module])))


def _imports(source: bytes) -> list[str]:
    """Return the names that a module imports, wherever it does so; of `from a import b` both a and a.b."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names
