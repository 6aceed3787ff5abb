"""A thousand damaged files: each is a song or one line. benchmarks/fuzz.py has a hundred thousand."""

from pathlib import Path

from benchmarks.fuzz import mutated, outcome
from config import MODEL

ORIGINALS = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("data/odd/*.mid"))]


def test_a_thousand_damaged_files_are_songs_or_one_line():
    found = {number: outcome(number, ORIGINALS, MODEL) for number in range(1000)}
    assert not {number: row["fault"] for number, row in found.items() if row["fault"] and "took" not in row["fault"]}
    assert 200 < sum(row["is_song"] for row in found.values()) < 800  # damaged, and not beyond reading


def test_a_number_is_always_the_same_file():
    assert mutated(ORIGINALS, 7) == mutated(ORIGINALS, 7) != mutated(ORIGINALS, 8)
