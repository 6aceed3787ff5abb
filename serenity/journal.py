"""A journal: what has been done, one JSON line a job, so that interrupted work goes on where it was.

A line is appended when its job is done, so whatever ends the program, even a power cut, loses the last one at most: a
line that was cut off is no line. Of two lines with one name the later holds.
"""

import json
from pathlib import Path

from serenity.files import write_whole


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

    def add(self, name: str, key: str, **result) -> dict:
        """Note that a job is done, and return its record."""
        record = {"name": name, "key": key, **result}
        self.records[name] = record
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        return record

    def keep(self, names: set[str]) -> list[dict]:
        """Forget all jobs but these, and return the records of the others."""
        forgotten = [self.records.pop(name) for name in list(self.records) if name not in names]
        self._rewrite()
        return forgotten

    def _rewrite(self) -> None:
        """Write the file anew, without what no longer holds."""
        write_whole(self.path, "".join(json.dumps(record) + "\n" for record in self.records.values()).encode())
