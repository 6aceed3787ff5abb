"""Are beats, bars and metre found? Against POP909, ASAP, hymns and songs whose beats are known.

    python benchmarks/beats.py FOLDER [--songs 100] [--scores 60]

FOLDER holds pop909, pop909_cl, asap, pop1k7, openhymnal and lieder. Prints Markdown tables, writes beats.json. Needs
mir_eval. The constants of serenity.music.beat_tracking were chosen on POP909 001-200 and on every other file of ASAP,
openhymnal and lieder; the benchmark judges a sample of POP909 201-909 and the other files. Two exceptions: all of ASAP
and Pop1K7 were seen while the rule for maps was made (STRUCTURE because of Pop1K7's at 80 and 90 BPM), so their rows in
the first table are not an independent test; and the judged songs were seen while the rule for the truth of bars, below,
was made.

Beats and bar lines are right within 70 ms (mir_eval.beat.f_measure, after 5 s). POP909's beats are its annotation
beat_midi. Its downbeats there are guesses, and so are the bars of POP909-CL's files (chords that last a bar begin on
another beat than theirs in half of the songs). So the truth for bars comes from POP909-CL's corrected chords: the place
in the bar where chords of a bar or longer begin. A song is not judged if it has fewer than six such chords, if less
than 60 % of them agree, or if that place is not on a beat. The rows of the files' own bars have all songs.
"""

import argparse
import json
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import mir_eval
import numpy as np

from serenity.music import beat_tracking, instruments, midi_file
from serenity.music.note import note_table

JITTER = 0.015  # seconds
DRIFT = 0.03    # standard deviation of the tempo's logarithm from one 20 s to the next
RUBATO = 0.08   # of the tempo, up and down
QUARTER = 0.6   # seconds, of scores
HALVES = {(3, 8): (6, 8), (2, 4): (4, 4), (2, 2): (4, 4), (4, 2): (4, 4)}  # read alike: bars of half the length


def main() -> None:
    """Measure all sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=100, help="of POP909")
    parser.add_argument("--scores", type=int, default=60, help="of hymns, and of songs with piano")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # mir_eval, of songs without beats after 5 s
    started = time.monotonic()
    pop = pop_songs(arguments.folder, arguments.songs)
    asap = asap_pieces(arguments.folder / "asap")
    performed = [read_song(path) for path in sorted((arguments.folder / "pop1k7").glob("*.midi"))]
    result = {
        "songs": len(pop),
        "maps": score_maps(pop, asap, performed),
        "beats": score_beats(pop, asap),
        "bars of POP909": score_bars(pop),
        "scores": score_scores(arguments.folder, arguments.scores),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{len(pop)} songs of POP909\n")
    for name in ("maps", "beats", "bars of POP909", "scores"):
        print(f"{table(name, result[name])}\n")
    print(f"{time.monotonic() - started:.0f} s")


# --- what is known ----------------------------------------------------------------------------------------------------

@dataclass
class Song:
    """A song and its truth. Times in seconds."""

    notes: np.ndarray
    quarters: np.ndarray  # of each onset, by the file's map
    map_time: np.ndarray  # of the map's quarters 0, 1, 2 ...
    beats: np.ndarray | None = None
    bars: np.ndarray | None = None         # where chords begin that last a bar
    stated_bars: np.ndarray | None = None  # as the corrected file has them
    signature: tuple[int, int] = (4, 4)


def read_song(path: Path) -> Song:
    """Read a file's piano and its tempo map."""
    score = midi_file.read(path)
    notes, clock = instruments.choose(score).struck, score.tempo_map
    last = clock.quarters(notes["onset"].max() + 5)
    return Song(notes, clock.quarters(notes["onset"]), clock.seconds(np.arange(last)))


def pop_songs(folder: Path, count: int) -> list[Song]:
    names = sorted(path.stem for path in (folder / "pop909").glob("*.mid") if path.stem > "200")
    return [pop_song(folder, names[int(number * len(names) / count)]) for number in range(min(count, len(names)))]


def pop_song(folder: Path, name: str) -> Song:
    song = read_song(folder / "pop909" / f"{name}.mid")
    beats = np.loadtxt(folder / "pop909" / "annotations" / name / "beat_midi.txt")[:, 0]
    song.beats = beats[(beats > song.notes["onset"][0] - 0.05) & (beats < song.notes["onset"][-1] + 0.05)]
    corrected = midi_file.read(folder / "pop909_cl" / f"{name}.mid")
    signatures = corrected.tempo_map.metres
    song.signature = int(signatures["numerator"][0]), int(signatures["denominator"][0])
    quarter = corrected.tempo_map.tempo(0.0) / 1e6
    piano, chords = (track.notes for track in corrected.tracks[:2])
    length = 3.0 if song.signature[1] == 8 else song.signature[0] * 4 / song.signature[1]
    place, seconds = same_notes(piano, quarter, song.notes)

    def lines(first: float) -> np.ndarray:
        bars = np.arange(np.ceil((place[0] - first) / length - 1e-6), (place[-1] - first) / length) * length + first
        return np.interp(bars, place, seconds)

    song.stated_bars = lines(0.0)
    first = bar_phase(chords, quarter, length)
    if first is None or len(signatures) > 1:
        return song
    bars = lines(first)
    beat = np.interp(bars, beats, np.arange(len(beats))) * 2
    if np.mean(abs(beat - 2 * np.rint(beat / 2)) < 0.2) > 0.9:
        song.bars = bars
    return song


def bar_phase(chords: np.ndarray, quarter: float, length: float) -> float | None:
    """Return the quarter of the bar (0 <= it < length) on which chords begin that last a bar; None where unclear."""
    at = np.rint(chords["onset"] / quarter * 2).astype(int)  # in eighths
    starts = np.unique(at)
    classes = [frozenset((chords["pitch"][at == start] % 12).tolist()) for start in starts]
    starts = starts[[True] + [one != other for one, other in zip(classes[:-1], classes[1:])]]
    is_long = np.append(np.diff(starts) >= 2 * length - 0.2, False)
    votes = np.bincount(starts[is_long] % int(2 * length), minlength=int(2 * length))
    return votes.argmax() / 2 if votes.sum() >= 6 and votes.max() >= 0.6 * votes.sum() else None


def same_notes(corrected: np.ndarray, quarter: float, notes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (quarters of the corrected file, seconds of the other), ascending, of pitches that both strike as often.

    The first of one file is the first of the other, and so on.
    """
    places, seconds = [], []
    for pitch in np.unique(notes["pitch"]):
        ours = np.sort(corrected["onset"][corrected["pitch"] == pitch]) / quarter
        theirs = np.sort(notes["onset"][notes["pitch"] == pitch])
        if len(ours) == len(theirs):
            places.append(ours)
            seconds.append(theirs)
    place, where = np.unique(np.concatenate(places).round(4), return_inverse=True)
    seconds = np.concatenate(seconds)
    medians = np.array([np.median(seconds[where == number]) for number in range(len(place))])
    return place, np.maximum.accumulate(medians)


def asap_pieces(folder: Path) -> list[Song]:
    pieces = []
    for number, path in enumerate(sorted(folder.glob("*.mid"))):
        piece = read_song(path)
        rows = [line.split() for line in path.with_name(f"{path.stem}_annotations.txt").read_text().splitlines()]
        if number % 2:  # the others helped to choose constants; their maps mean nothing either
            piece.beats = np.array([float(row[0]) for row in rows])
            piece.bars = np.array([float(row[0]) for row in rows if row[2].startswith("db")])
        pieces.append(piece)
    return pieces


# --- maps -------------------------------------------------------------------------------------------------------------

def score_maps(pop: list[Song], asap: list[Song], performed: list[Song]) -> dict[str, dict]:
    """Return how many maps are believed, of those that mean something and of those that do not."""
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.8, 1.25, len(pop))
    return {
        "POP909": believed([(song.notes, song.quarters) for song in pop]),
        "POP909, 8 bars": believed([eight_bars(song.notes, song.quarters) for song in pop]),
        "composed, 8 bars, 40 to 240 BPM, jitter to 20 ms": believed(composed(rng)),
        "POP909, scaled": believed([(song.notes, song.quarters * by) for song, by in zip(pop, scale)]),
        "POP909, 8 bars, scaled": believed([eight_bars(song.notes, song.quarters * by)
                                            for song, by in zip(pop, scale)]),
        "POP909 at a constant 120, where it is not 60 or 120": believed(
            [(song.notes, song.notes["onset"] * 2) for song in pop if not is_about_120(song)]),
        "ASAP": believed([(piece.notes, piece.quarters) for piece in asap]),
        "Pop1K7": believed([(song.notes, song.quarters) for song in performed]),
    }


def is_about_120(song: Song) -> bool:
    tempo = 60 / np.median(np.diff(song.beats))
    return min(abs(tempo - 60), abs(tempo - 120)) < 0.5


def believed(maps: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    shares = np.array([beat_tracking.agreement(*one).share for one in maps])
    return {"maps": len(maps), "believed": (shares >= beat_tracking.AGREES).mean().item(),
            "least share": shares.min().item(), "median": np.median(shares).item(), "most": shares.max().item()}


def eight_bars(notes: np.ndarray, quarters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = abs(quarters - np.median(quarters)) < 16
    return notes[chosen], quarters[chosen]


def composed(rng: np.random.Generator, count: int = 200) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return 8 bars each of melody over chords, in sixteenths, eighths, triplets or swing, with jitter."""
    rhythms = ((0, 1 / 4, 1 / 2, 3 / 4), (0, 1 / 2), (0, 1 / 3, 2 / 3), (0, 2 / 3))
    songs = []
    for number in range(count):
        melody = np.concatenate([np.array(rhythms[number % 4]) + beat for beat in range(32)])
        place = np.append(melody, np.repeat(np.arange(0, 32, 2), 3))
        pitch = np.append(rng.integers(67, 84, len(melody)), np.tile((48, 52, 55), 16))
        quarter = 60 / rng.uniform(40, 240)
        late = rng.normal(0, rng.uniform(0, 0.02), len(place))
        onset = np.maximum((place + 1.3) * quarter + late, 0)
        notes = note_table(onset, np.full(len(place), quarter / 4), pitch, np.full(len(place), 80))
        songs.append((notes, notes["onset"] / quarter))
    return songs


# --- beats and bars ---------------------------------------------------------------------------------------------------

def score_beats(pop: list[Song], asap: list[Song]) -> dict[str, dict]:
    """Return how well beats are found, by the map and without it."""
    rows = {"POP909, its map": [(map_beats(song), song.beats, 0.0) for song in pop]}
    rows["POP909, hidden"] = [tracked(song.notes, song.beats) for song in pop]
    for name, play in (("jitter and drift", drifting), ("rubato", rubato)):
        played = [play(song, np.random.default_rng(number)) for number, song in enumerate(pop)]
        rows[f"POP909, hidden, {name}"] = [tracked(notes, beats) for notes, beats in played]
    rows["ASAP"] = [tracked(piece.notes, piece.beats) for piece in asap if piece.beats is not None]
    return {name: beat_row(found) for name, found in rows.items()}


def map_beats(song: Song) -> np.ndarray:
    """Return the map's quarters from the offset on that the notes tell."""
    offset = beat_tracking.agreement(song.notes, song.quarters).offset
    number = np.arange(len(song.map_time))
    return np.interp(number[:-1] + offset, number, song.map_time)


def tracked(notes: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    start = time.process_time()
    beats = beat_tracking.track(notes)
    return beats, truth, time.process_time() - start


def f_measure(truth: np.ndarray, found: np.ndarray) -> float:
    """Return the F measure over the time that the truth covers."""
    found = found[(found > truth[0] - 0.3) & (found < truth[-1] + 0.3)]
    return mir_eval.beat.f_measure(mir_eval.beat.trim_beats(truth), mir_eval.beat.trim_beats(found))


def beat_row(found: list) -> dict[str, float]:
    scores = np.array([f_measure(truth, beats) for beats, truth, _ in found])
    spent = np.array([seconds for _, _, seconds in found])
    return {"songs": len(found), "F": scores.mean().item(), "median": np.median(scores).item(),
            "F above 0.9": (scores > 0.9).mean().item(), "s a song": spent.mean().item(), "slowest": spent.max().item()}


def drifting(song: Song, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return notes and beats at a slowly drifting tempo, each note beside its time by JITTER."""
    time_of = np.arange(0, song.notes["onset"][-1] + 60, 20.0)
    pace = np.exp(np.clip(np.cumsum(rng.normal(0, DRIFT, len(time_of))), -0.15, 0.15))
    pace = np.interp(np.arange(0, time_of[-1], 0.1), time_of, pace)
    return played(song, pace, rng.normal(0, JITTER, len(song.notes)))


def rubato(song: Song, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return notes and beats at a tempo that swings up and down over 4 to 8 bars."""
    period = np.median(np.diff(song.beats)) * 4 * rng.uniform(4, 8)
    moment = np.arange(0, song.notes["onset"][-1] + 60, 0.1)
    return played(song, 1 + RUBATO * np.sin(2 * np.pi * (moment / period + rng.uniform())), np.zeros(len(song.notes)))


def played(song: Song, pace: np.ndarray, late: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the notes and beats in a time that runs `pace` times as slowly (a value each 0.1 s)."""
    moment = 0.1 * np.arange(len(pace) + 1)
    warped = np.append(0, np.cumsum(0.1 * pace))
    notes = song.notes
    onset = np.maximum(np.interp(notes["onset"], moment, warped) + late, 0)
    end = np.interp(notes["onset"] + notes["duration"], moment, warped)
    notes = note_table(onset, np.maximum(end - onset, 0.02), notes["pitch"], notes["velocity"])
    return notes, np.interp(song.beats, moment, warped)


def score_bars(pop: list[Song]) -> dict[str, dict]:
    """Return how well bar lines and metre are found, in the songs that tell their bars."""
    clear = [song for song in pop if song.bars is not None]
    found = {"its map": map_beats, "hidden": lambda song: beat_tracking.track(song.notes)}
    rows = {name: bar_row([(song, song.bars, beats(song)) for song in clear]) for name, beats in found.items()}
    return rows | {f"{name}, bars as POP909-CL's files have them": bar_row(
        [(song, song.stated_bars, beats(song)) for song in pop]) for name, beats in found.items()}


def bar_row(rows: list[tuple[Song, np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Return the figures of (song, true bars, beats) rows."""
    scores, is_right, is_length, spent = [], [], [], 0.0
    for song, bars, beats in rows:
        start = time.process_time()
        reading = beat_tracking.metre(song.notes, beats)[0]
        spent += time.process_time() - start
        lines = beat_tracking.bar_lines(beats, reading)
        scores.append(f_measure(bars, lines))
        is_right.append((reading.numerator, reading.denominator) == HALVES.get(song.signature, song.signature))
        is_length.append(abs(np.median(np.diff(lines)) / np.median(np.diff(bars)) - 1) < 0.1)
    return {"songs": len(rows), "F of bar lines": np.mean(scores).item(), "median": np.median(scores).item(),
            "metre as stated": np.mean(is_right).item(), "bar of the right length": np.mean(is_length).item(),
            "s a song": spent / len(rows)}


# --- scores -----------------------------------------------------------------------------------------------------------

def score_scores(folder: Path, count: int) -> dict[str, dict]:
    """Return how well metre and first bar line are found in scores, given their quarters."""
    found = {}
    for name, pattern in (("openhymnal", "*.abc"), ("lieder", "*.mxl")):
        paths = sorted((folder / name).glob(pattern))[1::2]
        scores = [read_score(paths[int(number * len(paths) / count)]) for number in range(count)]
        rows = [(score[2], *judge(*score)) for score in scores if score]
        for title, signatures in (("4/4, 2/4, 2/2", ((4, 4), (2, 4), (2, 2), (4, 2))), ("3/4", ((3, 4),)),
                                  ("6/8, 3/8", ((6, 8), (3, 8)))):
            chosen = np.array([row[1:] for row in rows if row[0] in signatures])
            if len(chosen):
                length, metre, first = chosen.mean(axis=0).tolist()
                found[f"{name}, {title}"] = {"scores": len(chosen), "bar of the right length": length,
                                             "metre as stated": metre, "length and first bar line": first}
    return found


def read_score(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[int, int], float] | None:
    """Return (notes, quarters in seconds, time signature, first bar line in quarters); None where it changes."""
    from music21 import converter, stream

    try:
        text = path.read_text(encoding="latin-1") if path.suffix == ".abc" else None  # a few are no UTF-8
        score = converter.parse(text, format="abc") if text else converter.parse(path)
    except Exception as error:  # music21 has no error of its own for what it cannot read
        print(f"refused: {path.name}: {error}", file=sys.stderr)
        return None
    if isinstance(score, stream.Opus):
        score = score.scores[0]
    score = score.stripTies()
    rows = {(float(note.getOffsetInHierarchy(score)), float(note.quarterLength), pitch.midi)
            for note in score.recurse().notes if note.quarterLength > 0 and "ChordSymbol" not in note.classes
            for pitch in note.pitches}
    part = max(score.parts, key=lambda part: len(part.getElementsByClass("Measure")))
    measures = list(part.getElementsByClass("Measure"))
    signatures = {(sign.numerator, sign.denominator) for sign in part.recurse().getElementsByClass("TimeSignature")}
    length = measures[0].barDuration.quarterLength if measures else 0
    whole = [float(measure.offset) for measure in measures if measure.quarterLength == length]
    if len(rows) < 30 or len(signatures) != 1 or not whole:
        return None
    onset, duration, pitch = (np.array(column) for column in zip(*sorted(rows)))
    notes = note_table(onset * QUARTER, duration * QUARTER * 0.95, pitch, np.full(len(pitch), 80))
    phases, votes = np.unique(np.round(np.array(whole) % length, 3), return_counts=True)
    quarters = QUARTER * np.arange(np.ceil((onset + duration).max()) + 1)
    return notes, quarters, signatures.pop(), float(phases[votes.argmax()])


def judge(notes: np.ndarray, quarters: np.ndarray, signature: tuple[int, int], first: float) -> tuple[bool, ...]:
    """Return whether the bar's length, the metre, and with it the first bar line are right."""
    stated = HALVES.get(signature, signature)
    reading = beat_tracking.metre(notes, quarters)[0]
    is_length = reading.beats_per_bar in (stated[0] * 4 / stated[1], signature[0] * 4 / signature[1])
    is_metre = (reading.numerator, reading.denominator) == stated
    period = signature[0] * 4 / signature[1]
    distance = (reading.first - first + 1e-6) % period
    return is_length, is_metre, is_length and distance < 1e-3


def table(name: str, rows: dict[str, dict]) -> str:
    """Return a Markdown table."""
    columns = list(next(iter(rows.values())))
    lines = [f"| {name} | {' | '.join(columns)} |", f"| --- |{' --: |' * len(columns)}"]
    for title, row in rows.items():
        cells = [f"{value:,}" if isinstance(value, int) else f"{value:.3f}" for value in row.values()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
