"""A song on its way through the pipeline: its notes together with its beats, which no function has to guess again."""

from dataclasses import dataclass, replace

import numpy as np

from serenity.music.beats import Beats, read_beats
from serenity.music.instruments import Choice, choose
from serenity.music.midi_file import Score
from serenity.music.note import end_time
from serenity.music.tempo_map import TempoMap
from serenity.settings import Hints


@dataclass(frozen=True, eq=False)
class Song:
    """Notes in seconds, and where the music's quarters and bars fall."""

    notes: np.ndarray   # note table, as they sound, with the pedal
    struck: np.ndarray  # note table, as the fingers left them: what harmony reads chords from
    beats: Beats

    @property
    def tempo_map(self) -> TempoMap:
        """Where quarters and bars fall: quarter 0 begins a bar."""
        return self.beats.tempo_map

    @property
    def beat_edges(self) -> np.ndarray:
        """Seconds of the beats, from 0 to behind the last note: where chords may change. See beat_edges."""
        return beat_edges(self.tempo_map, end_time(self.struck))

    def with_notes(self, notes: np.ndarray) -> "Song":
        """Return a song of other notes on the same beats."""
        return replace(self, notes=notes, struck=notes)


def of_choice(choice: Choice, file_map: TempoMap, hints: Hints = Hints(), is_trusted: bool = False) -> Song:
    """Return the song of the tracks chosen from a file with its tempo map; `is_trusted`: whose beats count."""
    struck = choice.struck
    return Song(choice.notes, struck, read_beats(struck, file_map, hints, is_trusted))


def of_score(score: Score, category: str = "piano", hints: Hints = Hints()) -> Song:
    """Return the song of a file: its tracks of a category, and its beats. Raises InputError as instruments.choose."""
    return of_choice(choose(score, category), score.tempo_map, hints)


# --- beats as edges ---------------------------------------------------------------------------------------------------

SHORTEST_SPAN = 0.1  # seconds
MOST_BEATS = 10**6   # of a song; a wild tempo would fill the memory with them


def beat_edges(tempo_map: TempoMap, end: float) -> np.ndarray:
    """Return the edges of the beats in seconds: (beats + 1,), ascending, from 0 to `end`, none nearer than a little.

    A beat is a quarter, whatever the metre.
    """
    first, last = np.floor(tempo_map.quarters(np.array([0.0, end])))
    edges = [0.0]
    for beat in tempo_map.seconds(np.arange(first, min(last, first + MOST_BEATS) + 1)).tolist():
        if edges[-1] + SHORTEST_SPAN <= beat <= end - SHORTEST_SPAN:
            edges.append(beat)
    return np.array([*edges, max(end, SHORTEST_SPAN)])
