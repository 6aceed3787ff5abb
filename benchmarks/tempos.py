"""Does a continuation stay on the seed's beat, in any tempo and metre, straight and swung, quantised and played?

    tempos.py [--model FOLDER] [--hidden]      a table -> tempos.json

Seeds of eight bars are composed for each tempo and metre; each is continued for 32 bars, written and read again, as
generate.py does it. With --hidden all seeds' files say 107 BPM and 4/4, whether that is true or not, so that the beats
have to be found. All is measured against the tempo, metre and swing that a seed was composed in:

    on grid    share of the continuation's notes within 1 ms of the point of the seed's grid where the model has them;
               of played seeds, within the largest distance that a note of the seed has
    beside     root mean square of that distance, ms, beside the seed's
    tempo      how far the file's last tempo is from the seed's, in parts of it
    bar line   how far the continuation's end is from the end of the 32nd bar, ms
    metre      whether metre and bar lines were read right
"""

import json
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import tyro

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_suffix(".json")
BPM = (40, 60, 96, 138, 200, 240)
METRES = ((4, 4), (3, 4), (6, 8), (12, 8))
SWING, JITTER = 0.64, 0.02  # share of a quarter; seconds, standard deviation
SEED_BARS, BARS = 8, 32
EXACT = 0.001               # seconds; a tick of the files written here is shorter
CHORDS = ((48, 64, 67, 72), (43, 62, 67, 71), (45, 60, 64, 69), (41, 60, 65, 69))  # C G Am F: bass and three notes
SCALE = (72, 74, 76, 77, 79, 81, 83, 84)


@dataclass(frozen=True)
class Parameters:
    """Go on with composed seeds."""

    model: Path = ROOT / "models" / "serenity-mini"
    hidden: bool = False        # the files state neither tempo nor metre
    events: int = 4000          # of a continuation at most: 32 bars hold fewer
    temperature: float = 0.9


@dataclass(frozen=True)
class Case:
    """A seed to be composed."""

    bpm: float
    metre: tuple[int, int]
    swung: bool
    played: bool

    @property
    def tempo_map(self):
        """The seed's true map."""
        from serenity.music.tempo_map import TempoMap, metres, tempos

        return TempoMap(tempos((0.0, 6e7 / self.bpm)), metres((0.0, *self.metre)), swing=SWING if self.swung else 0.5)


def compose(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return a seed's notes and how far each stands beside its grid point, seconds."""
    from serenity.music.note import note_table

    chance = np.random.default_rng(7)
    bar = case.metre[0] * 4 / case.metre[1]
    beat = 1.5 if case.metre[1] == 8 else 1.0
    rows, place = [], 3
    for number in range(SEED_BARS):
        bass, *chord = CHORDS[number % len(CHORDS)]
        start = number * bar
        rows.append((start, bar, bass, 62))
        for at in np.arange(beat, bar, beat):
            rows += [(start + at, beat / 2, pitch - 12, 48) for pitch in chord]
        if beat == 1.5:  # an arpeggio of eighths
            rows += [(start + at, 0.5, chord[int(2 * at) % 3] - 12, 46) for at in np.arange(0.5, bar, 0.5) if at % beat]
        at = 0.0
        while at < bar:
            length = min(float(chance.choice([0.5, 0.5, 1.0, beat])), bar - at)
            place = int(np.clip(place + chance.integers(-2, 3), 0, len(SCALE) - 1))
            rows.append((start + at, 0.9 * length, SCALE[place], 80))
            at += length
    onset, length, pitch, velocity = map(np.array, zip(*rows))
    seconds, end = case.tempo_map.seconds(onset), case.tempo_map.seconds(onset + length)
    beside = chance.normal(0, JITTER, len(onset)) if case.played else np.zeros(len(onset))
    begin = np.maximum(seconds + beside, 0)
    return note_table(begin, np.maximum(end - begin, 0.03), pitch, velocity), begin - seconds


def file_of(case: Case, notes: np.ndarray, hidden: bool) -> bytes:
    """Return the seed's MIDI file."""
    from serenity.music.midi_file import Track, to_bytes
    from serenity.music.tempo_map import TempoMap, tempos

    unrelated = TempoMap(tempos((0.0, 6e7 / 107)), ticks_per_quarter=9600)
    return to_bytes([Track("Piano", 0, False, notes)], unrelated if hidden else TempoMap(
        case.tempo_map.tempos, case.tempo_map.metres))


def go_on(model, case: Case, parameters: Parameters) -> dict:
    """Return what became of a seed."""
    from serenity.model.generation import Rules, complete
    from serenity.music import layout, midi_file
    from serenity.settings import Sampling
    from serenity.tokens import seed as seeds

    notes, beside = compose(case)
    score = midi_file.parse(file_of(case, notes, parameters.hidden))
    seed = seeds.read(score, "piano", model.settings.codec, model.vocabulary)
    until = seeds.steps_until(seed, seeds.end_of(seed, BARS))
    made, = complete(model, seed.prompt, parameters.events, Sampling(parameters.temperature, 0), 0,
                     rules=Rules(until=until))
    found = seeds.continue_notes(seed, made.tokens, model.vocabulary, np.random.default_rng(0))
    end = seed.start + seed.seconds_after(until)
    track = layout.trim(layout.continuation_track(seed.choice.tracks, found), end)
    again = midi_file.parse(midi_file.to_bytes([*seed.choice.tracks, track], seed.file_map))
    points = points_of(case, seed, model.vocabulary.decode(made.tokens, seed.encoded.events.dtype))
    off = nearest(again.tracks[-1].notes, points)
    return measured(case, seed, off, beside, end, parameters.hidden, again.tempo_map)


def points_of(case: Case, seed, events: np.ndarray) -> dict[int, np.ndarray]:
    """Return where the true grid has the notes of a continuation: of each pitch the seconds, in order."""
    from serenity.music.codec import events_to_notes

    grid, truth = seed.codec.grid, case.tempo_map
    shift = round(float(truth.quarters(seed.tempo_map.seconds(0.0))) * 2) / 2
    scale = 6e7 / case.bpm / seed.tempo_map.tempo(0.0)  # a quarter of the true map, in quarters as they were read
    scale = min((1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 3), key=lambda ratio: abs(np.log(scale / ratio)))
    table = events_to_notes(events)
    seconds = truth.seconds(shift + (table["onset"] + seed.join) / grid / scale)
    pitches = table["pitch"] - seed.encoded.transposition
    return {int(pitch): np.sort(seconds[pitches == pitch]) for pitch in np.unique(pitches)}


def nearest(notes: np.ndarray, points: dict[int, np.ndarray]) -> np.ndarray:
    """Return how far each note (n,) begins after the nearest point of its pitch, seconds."""
    off = np.full(len(notes), np.inf)
    for row, (onset, pitch) in enumerate(zip(notes["onset"].tolist(), notes["pitch"].tolist())):
        if len(known := points.get(pitch, ())):
            off[row] = onset - known[abs(known - onset).argmin()]
    return off


def measured(case: Case, seed, off: np.ndarray, beside: np.ndarray, end: float, hidden: bool, written) -> dict:
    """Return the figures of a case; `off` and `beside`: seconds by which the notes of continuation and seed begin after
    their points."""
    truth = case.tempo_map
    last_bar = truth.bar_line(SEED_BARS + BARS)
    tempo = seed.tempo_map.tempo(1e9) if hidden else float(written.tempos["length"][-1])
    lines = truth.bars(truth.quarters(seed.tempo_map.seconds(seed.tempo_map.bar_line(np.arange(SEED_BARS)))))
    astray = np.minimum(lines[1], lines[2] - lines[1]).max()
    return {"bpm": case.bpm, "metre": f"{case.metre[0]}/{case.metre[1]}", "swung": case.swung, "played": case.played,
            "hidden": hidden, "read": str(seed.song.beats), "notes": len(off),
            "on_grid": float(np.mean(abs(off) <= abs(beside).max() + EXACT)),
            "beside_ms": [1000 * float(np.sqrt(np.mean(values ** 2))) for values in (off, beside)],
            "tempo": abs(tempo * 1e-6 * case.bpm / 60 - 1), "end_ms": 1000 * abs(end - float(truth.seconds(last_bar))),
            "metre_right": bool(seed.song.beats.metre == case.metre and astray < 0.1)}


def main(parameters: Parameters) -> None:
    """Measure all cases and print a table by tempo and by kind."""
    from serenity.model import checkpoint

    model = checkpoint.load(parameters.model)
    rows = []
    for bpm, metre, swung, played in product(BPM, METRES, (False, True), (False, True)):
        if not (swung and metre[1] == 8):  # compound metres swing by themselves
            rows.append(go_on(model, Case(bpm, metre, swung, played), parameters))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    others = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    others = [row for row in others if row["hidden"] != parameters.hidden]
    RESULTS.write_text(json.dumps({"rows": others + rows}, indent=1) + "\n", encoding="utf-8")
    print(table(others + rows))


def table(rows: list[dict]) -> str:
    """Return the figures as Markdown, a row for each kind of seed."""
    kinds = {}
    for row in rows:
        kind = ("found" if row["hidden"] else "stated", row["metre"], "swung" if row["swung"] else "straight",
                "played" if row["played"] else "quantised")
        kinds.setdefault(kind, []).append(row)
    lines = ["| beats | metre | eighths | onsets | notes | on the grid | beside it, ms (seed's) | tempo off, worst | "
             "end off, ms, worst | metre and bars right |", "| --- " * 4 + "| --: " * 6 + "|"]
    for kind, members in kinds.items():
        notes = sum(row["notes"] for row in members)
        on = sum(row["notes"] * row["on_grid"] for row in members) / max(notes, 1)
        made, own = (np.mean([row["beside_ms"][column] for row in members]) for column in (0, 1))
        lines.append(f"| {' | '.join(kind)} | {notes:,} | {on:.3f} | {made:.1f} ({own:.1f}) | "
                     f"{max(row['tempo'] for row in members):.3%} | {max(row['end_ms'] for row in members):.1f} | "
                     f"{sum(row['metre_right'] for row in members)} of {len(members)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Parameters))
