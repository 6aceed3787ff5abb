"""Harmony: the key of a song, its chords, what they are called in the key, and the progressions that they form.

Keys are found by profile correlation. Chords are found by templates: in each span of time (a beat, for instance), every
chord is scored by the notes that sound and by the bass. Of all sequences of chords the likeliest is taken; each change
of chord has a price. Chords are recognised in sound in the same way (Sheh & Ellis, "Chord segmentation and recognition
using EM-trained hidden Markov models", ISMIR 2003), but here the notes are known.

Give it notes as they were struck where you have them (instruments.Choice.struck): a pedal blurs one chord into the
next.
"""

from dataclasses import dataclass

import numpy as np

from serenity.music.note import HIGHEST_PITCH
from serenity.music.pitch import OCTAVE, PITCH_CLASS_NAMES

# --- key --------------------------------------------------------------------------------------------------------------

# How much each pitch class, from the tonic upwards, weighs in music in a major and in a minor key: Albrecht & Shanahan,
# "The use of large corpora to train a new type of key-finding algorithm", Music Perception 31(1), 2013, table 1. Of the
# published profiles it finds most keys of POP909 (docs/songs.md).
PROFILES = {
    "major": (.238, .006, .111, .006, .137, .094, .016, .214, .009, .080, .008, .081),
    "minor": (.220, .006, .104, .123, .019, .103, .012, .214, .062, .022, .061, .052),
}
TONICS = {
    "major": ("C", "D flat", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"),
    "minor": ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "G sharp", "A", "B flat", "B"),
}
KEYS = tuple((tonic, mode) for mode in PROFILES for tonic in range(OCTAVE))


@dataclass(frozen=True)
class Key:
    """A key: `tonic` 0-11 (0 is c), `mode` "major" or "minor", `confidence` the correlation with its profile, -1..1."""

    tonic: int
    mode: str
    confidence: float

    def __str__(self) -> str:
        return f"{PITCH_CLASS_NAMES[self.tonic]} {self.mode}"

    @property
    def name(self) -> str:
        """The key as musicians name it, with the fewer flats or sharps: "E flat major" for d# major."""
        return f"{TONICS[self.mode][self.tonic]} {self.mode}"

    @property
    def has_flats(self) -> bool:
        """Whether it is written with flats: from F major, or D minor, to D flat major, or E flat minor."""
        return self.relative_major in (5, 10, 3, 8, 1) or "flat" in self.name

    @property
    def relative_major(self) -> int:
        """The tonic of the major key with the same notes: 0 for c major and for a minor."""
        return self.tonic if self.mode == "major" else (self.tonic + 3) % OCTAVE


def find_key(notes: np.ndarray) -> Key:
    """Return the key whose profile correlates best with the song's pitch classes, weighted by duration.

    The algorithm is Krumhansl & Schmuckler's (Krumhansl, "Cognitive Foundations of Musical Pitch", 1990, chapter 4). A
    table without notes raises ValueError.
    """
    if not len(notes):
        raise ValueError("wanted at least one note to find a key, got none")
    correlations = _correlate(np.bincount(notes["pitch"] % OCTAVE, notes["duration"], minlength=OCTAVE)[None])[0]
    best = int(correlations.argmax())
    return Key(*KEYS[best], float(correlations[best]))


def _correlate(weights: np.ndarray) -> np.ndarray:
    """Return the correlation of pitch-class weights (n, 12) with each key's profile: (n, 24)."""
    centred = weights - weights.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred @ _PROFILE_ROWS.T / np.where(length, length, 1)  # all twelve alike: no key is better


_PROFILE_ROWS = np.stack([np.roll(PROFILES[mode], tonic) for tonic, mode in KEYS])  # (24, 12)
_PROFILE_ROWS -= _PROFILE_ROWS.mean(axis=1, keepdims=True)
_PROFILE_ROWS /= np.linalg.norm(_PROFILE_ROWS, axis=1, keepdims=True)

# --- what sounds over a span ------------------------------------------------------------------------------------------

FADE = 3.0        # seconds in which a struck note fades to 1/e; an old note says less about the present chord
BASS_SHARE = 0.3  # of a span; the lowest note that sounds so long is the bass


def pitch_class_weights(notes: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much each pitch class sounds in each span, and each span's bass.

    Returns (spans, 12) in seconds of a note that has just been struck: notes fade; and (spans,), a pitch, -1 where
    nothing sounds.
    """
    spans = len(edges) - 1
    end = notes["onset"] + notes["duration"]
    first = np.searchsorted(edges, notes["onset"], side="right") - 1
    count = np.maximum(np.searchsorted(edges, end, side="left") - np.maximum(first, 0), 0)  # spans of a note
    note = np.repeat(np.arange(len(notes)), count)
    span = np.maximum(first, 0)[note] + np.arange(len(note)) - np.repeat(np.cumsum(count) - count, count)
    note, span = note[span < spans], span[span < spans]
    onset = notes["onset"][note]
    start, stop = np.maximum(edges[span], onset), np.minimum(edges[span + 1], end[note])
    sounds = FADE * (np.exp((onset - start) / FADE) - np.exp((onset - stop) / FADE))
    weights = np.zeros((spans, OCTAVE))
    np.add.at(weights, (span, notes["pitch"][note] % OCTAVE), sounds)
    lasts = stop - start >= BASS_SHARE * np.diff(edges)[span]
    bass = np.full(spans, HIGHEST_PITCH + 1)
    np.minimum.at(bass, span[lasts], notes["pitch"][note[lasts]])
    return weights, np.where(bass > HIGHEST_PITCH, -1, bass)


def likeliest_path(scores: np.ndarray, price: float) -> np.ndarray:
    """Return the sequence of states with the highest sum of scores (steps, states), each change costing `price`.

    The Viterbi algorithm (Viterbi, IEEE Trans. Inf. Theory 13(2), 1967) where all changes cost alike: so only the best
    state before, and the same one, can be the predecessor.
    """
    states = np.arange(scores.shape[1])
    best, came_from = scores[0].copy(), np.empty(scores.shape, np.int16)
    for step in range(1, len(scores)):
        winner = best.argmax()
        came_from[step] = np.where(best >= best[winner] - price, states, winner)
        best = np.maximum(best, best[winner] - price) + scores[step]
    path = np.empty(len(scores), np.int64)
    path[-1] = best.argmax()
    for step in range(len(scores) - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path


# --- chords -----------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Quality:
    """A kind of chord: semitones of its notes above the root, and how common it is in pop beside the major triad."""

    intervals: tuple[int, ...]
    share: float
    is_minor: bool = False


QUALITIES = {
    "maj": Quality((0, 4, 7), 1.0),
    "min": Quality((0, 3, 7), 0.8, True),
    "7": Quality((0, 4, 7, 10), 0.3),
    "maj7": Quality((0, 4, 7, 11), 0.3),
    "min7": Quality((0, 3, 7, 10), 0.4, True),
    "dim": Quality((0, 3, 6), 0.1, True),
    "hdim7": Quality((0, 3, 6, 10), 0.03, True),
    "dim7": Quality((0, 3, 6, 9), 0.03, True),
    "aug": Quality((0, 4, 8), 0.03),
    "sus2": Quality((0, 2, 7), 0.12),
    "sus4": Quality((0, 5, 7), 0.07),
    "5": Quality((0, 7), 0.25),
}
QUALITY_NAMES = tuple(QUALITIES)

CHORD = np.dtype([
    ("start", np.float64),  # seconds
    ("end", np.float64),    # seconds
    ("root", np.int8),      # pitch class 0-11
    ("quality", np.int8),   # row of QUALITY_NAMES
    ("bass", np.int8),      # pitch class of the lowest note; -1 where the chord is silent throughout
    ("fit", np.float32),    # share of what sounds that belongs to the chord, 0-1
])

# What a chord makes likely, and what a change of chord costs. Found by random search on 60 songs of POP909, that are in
# no figure of docs/songs.md.
_TONES = (0.30, 0.25, 0.25, 0.20)  # weight of root, third, fifth and seventh in what sounds
_FOREIGN = 0.065                   # of any other pitch class
_BASS = (0.75, 0.12, 0.15, 0.06)   # weight of root, third, fifth and seventh as the bass
_FOREIGN_BASS = 0.02
_EVIDENCE = 8.0    # nats a second that sounding notes count
_BASS_EVIDENCE = 0.6
_SHARE_EVIDENCE = 0.8
_SILENCE = 0.08    # seconds of sound a second, below which a span says little
_CHANGE = 2.3      # nats


def find_chords(notes: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the chords of a song as a CHORD table, in order: neighbouring spans with one chord are one row.

    `edges` (spans + 1,) in seconds are where chords may change: the beats (song.beat_edges). Notes without harmony,
    such as a single line, still give chords: those that the line implies. A table without notes gives no chord.
    """
    if not len(notes):
        return np.empty(0, CHORD)
    weights, bass = pitch_class_weights(notes, edges)
    length = np.diff(edges)[:, None]
    sound = weights / (weights.sum(axis=1, keepdims=True) + _SILENCE * length)  # (spans, 12)
    scores = _EVIDENCE * sound @ _SOUND_TABLE.T + _SHARE_EVIDENCE * _SHARE_ROW
    scores += np.where(bass[:, None] >= 0, _BASS_EVIDENCE * _BASS_TABLE.T[bass % OCTAVE], 0)
    path = likeliest_path(scores * length, _CHANGE)
    first = np.flatnonzero(np.append(True, path[1:] != path[:-1]))
    chords = np.zeros(len(first), CHORD)
    chords["start"], chords["end"] = edges[first], edges[np.append(first[1:], len(path))]
    chords["quality"], chords["root"] = np.divmod(path[first], OCTAVE)
    chords["bass"] = [_bass_of(bass[start:stop]) for start, stop in zip(first, np.append(first[1:], len(path)))]
    total = np.add.reduceat(weights, first)
    inside = (total * _MEMBERS[path[first]]).sum(axis=1)
    chords["fit"] = inside / np.maximum(total.sum(axis=1), 1e-9)
    return chords


def _bass_of(bass: np.ndarray) -> int:
    """Return the pitch class of the lowest bass note of a chord's spans; -1 where all are silent."""
    sounding = bass[bass >= 0]
    return int(sounding.min()) % OCTAVE if len(sounding) else -1


def _table(tones: tuple, foreign: float) -> np.ndarray:
    """Return the log weight of each pitch class under each chord: (qualities * 12, 12); row quality * 12 + root."""
    rows = np.full((len(QUALITIES), OCTAVE), foreign)
    for row, quality in zip(rows, QUALITIES.values()):
        row[list(quality.intervals)] = tones[:len(quality.intervals)]
        if len(quality.intervals) == 2:  # a power chord: root and fifth
            row[list(quality.intervals)] = tones[0], tones[2]
    rows = np.log(rows / rows.sum(axis=1, keepdims=True))
    return np.concatenate([[np.roll(row, root) for root in range(OCTAVE)] for row in rows])


_SOUND_TABLE, _BASS_TABLE = _table(_TONES, _FOREIGN), _table(_BASS, _FOREIGN_BASS)
_SHARE_ROW = np.repeat(np.log([quality.share for quality in QUALITIES.values()]), OCTAVE)
_MEMBERS = np.zeros(_SOUND_TABLE.shape, bool)
for _row, _quality in enumerate(QUALITIES.values()):
    for _root in range(OCTAVE):
        _MEMBERS[_row * OCTAVE + _root, [(_root + interval) % OCTAVE for interval in _quality.intervals]] = True

# --- progressions -----------------------------------------------------------------------------------------------------

# The common progressions of pop and rock, each in the major key with the same notes, so that songs in minor (vi is
# their tonic) are served alike. A rotation is the same progression: a loop has no beginning. (De Clercq & Temperley,
# "A corpus analysis of rock harmony", Popular Music 30(1), 2011; Everett, "The Foundations of Rock", 2009, chapter 8.)
PROGRESSIONS = (
    "I IV V", "I V vi", "IV V vi", "vi iii IV", "iii vi V", "ii V I", "ii V vi", "ii III vi",
    "I bVII IV", "I bVI bVII", "I IV iv",       # double plagal; aeolian; minor plagal
    "I V vi IV", "I vi IV V", "I vi ii V",      # axis; doo-wop; its elder form
    "IV V iii vi", "I V vi iii", "I IV V vi",   # royal road; Pachelbel
    "IV I IV V", "I V IV V", "I V vi V", "IV V vi V",
    "I iii IV V", "I iii vi IV", "I iii vi V", "I vi iii IV", "I vi V IV", "iii vi V IV",
    "I ii IV V", "I IV ii V", "I V ii V", "I IV vi V", "ii V iii vi", "ii IV iii vi", "ii IV V vi",
    "vi V IV III", "III vi V IV", "I III vi IV", "I III IV V", "I III vi V",  # Andalusian; with the minor's dominant
    "I bVII IV V",
)
DEGREES = ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII")  # by semitones over the tonic
_NUMERAL_ROOTS = {degree: semitones for semitones, degree in enumerate(DEGREES)}


def triads(chords: np.ndarray, key: Key) -> tuple[np.ndarray, np.ndarray]:
    """Return the song's triads as numbers in the relative major key, and the seconds that each lasts.

    A triad is root * 2 + is_minor, with the root in semitones above the tonic of key.relative_major. Sevenths count as
    their triads. A suspended or power chord is open: it takes the colour of the triad on its root that stands beside
    it, else the scale's. Neighbours that become one triad are one.
    """
    root = (chords["root"] - key.relative_major) % OCTAVE
    quality = [QUALITY_NAMES[row] for row in chords["quality"]]
    is_open = np.array([name in OPEN for name in quality], bool)
    is_minor = np.array([QUALITIES[name].is_minor for name in quality], bool)
    is_minor = np.where(is_open, np.isin(root, SCALE_MINOR), is_minor)
    for here in np.flatnonzero(is_open):
        for beside in (here - 1, here + 1):
            if 0 <= beside < len(root) and root[beside] == root[here] and not is_open[beside]:
                is_minor[here] = is_minor[beside]
    numbers = root * 2 + is_minor
    first = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1])[:len(numbers)])
    seconds = np.add.reduceat(chords["end"] - chords["start"], first) if len(first) else np.empty(0)
    return numbers[first], seconds


OPEN = ("sus2", "sus4", "5")
SCALE_MINOR = (2, 4, 9, 11)  # degrees of the major scale whose triad is minor, and vii, which is diminished
DIATONIC = frozenset({0, 2 * 2 + 1, 4 * 2 + 1, 5 * 2, 7 * 2, 9 * 2 + 1, 11 * 2 + 1})  # triads of the major scale


def in_progressions(numbers: np.ndarray) -> np.ndarray:
    """Return which changes between neighbouring triads (n,) stand inside a common progression: (n - 1,) bool.

    A change does so where it and its neighbours make a rotation of a row of PROGRESSIONS.
    """
    inside = np.zeros(max(len(numbers) - 1, 0), bool)
    for length, known in _ROTATIONS.items():
        for start in range(len(numbers) - length + 1):
            if tuple(numbers[start:start + length].tolist()) in known:
                inside[start:start + length - 1] = True
    return inside


def commonest_progression(numbers: np.ndarray, seconds: np.ndarray, length: int = 4) -> tuple[str, float]:
    """Return the song's most frequent progression of `length` triads, and the share of its time that it covers.

    Rotations count as one; it is named as it occurs most often, "vi IV I V". A song of fewer triads has "" and 0.
    """
    shapes, covered = {}, {}
    for start in range(len(numbers) - length + 1):
        shape = tuple(numbers[start:start + length].tolist())
        if shape[0] == shape[-1]:
            continue  # a way there and back, no loop
        loop = min(shape[turn:] + shape[:turn] for turn in range(length))
        shapes.setdefault(loop, []).append(shape)
        covered.setdefault(loop, np.zeros(len(numbers), bool))[start:start + length] = True
    if not shapes:
        return "", 0.0
    share = {loop: float(seconds[mask].sum() / seconds.sum()) for loop, mask in covered.items()}
    best = max(share, key=lambda loop: (share[loop], loop))
    heard = shapes[best]
    return " ".join(map(triad_name, max(heard, key=heard.count))), share[best]


def triad_name(number: int) -> str:
    """Return the degree of a triad number of `triads`: 0 -> "I", 19 -> "vi"."""
    degree = DEGREES[number // 2]
    sign = degree.rstrip("IV")
    return sign + degree[len(sign):].lower() if number % 2 else degree


def triad_number(degree: str) -> int:
    """Return the number of a degree. The inverse of triad_name; an unknown degree raises KeyError."""
    sign = degree.rstrip("IViv")
    name = degree[len(sign):]
    return _NUMERAL_ROOTS[sign + name.upper()] * 2 + name.islower()


_ROTATIONS = {}  # length -> rotations of all progressions of that length
for _names in PROGRESSIONS:
    _shape = tuple(triad_number(_name) for _name in _names.split())
    _ROTATIONS.setdefault(len(_shape), set()).update(_shape[_turn:] + _shape[:_turn] for _turn in range(len(_shape)))


# --- what chords are called on a lead sheet ---------------------------------------------------------------------------

SHARP_KEYS = (7, 2, 9, 4, 11, 6)  # relative majors written with sharps; c major mixes, as songs in it do
SHARPS = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
FLATS = ("C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B")
MIXED = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "G♯", "A", "B♭", "B")
SUFFIXES = {"maj": "", "min": "m", "min7": "m7", "hdim7": "m7♭5"}  # the others are called as harmony calls them


def chord_names(chords: np.ndarray, key: Key) -> list[str]:
    """Return the names of a CHORD table's rows, spelled as the key is: A flat in E flat major, G sharp in E major."""
    spelled = SHARPS if key.relative_major in SHARP_KEYS else FLATS if key.relative_major else MIXED
    qualities = [QUALITY_NAMES[quality] for quality in chords["quality"]]
    return [spelled[root] + SUFFIXES.get(quality, quality) for root, quality in zip(chords["root"], qualities)]
