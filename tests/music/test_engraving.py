"""Scores: what is written comes back, pitch, onset and length, by music21 and by our own reader; and can be read."""

from fractions import Fraction

import numpy as np
import pytest

from serenity.music import midi_file, musicxml, sheet
from serenity.music.engraving import bars_of, sharps_of, spelling, to_musicxml
from serenity.music.harmony import Key, find_key
from serenity.music.instruments import choose
from serenity.music.midi_file import Score, Track
from serenity.music.note import merge_tables, note_table
from serenity.music.song import of_choice
from serenity.music.tempo_map import TempoMap, metres, tempos
from serenity.music.written import GRID, is_left, on_lines, pieces, staves_of, voices_of
from tests.songs import compose_notes


def song(bars, quarters, tempo_map, number=3, legato=0.95):
    """Return notes in bars of so many quarters: a bass, chords, a melody of eighths; of triplets in each third bar."""
    rng, rows = np.random.default_rng(number), []
    for bar in range(bars):
        start = bar * quarters
        rows.append((start, quarters, int(rng.integers(36, 48))))
        rows += [(start + beat, 1.0, pitch) for beat in np.arange(1, quarters, 1.0) for pitch in (55, 60, 64)]
        step = 1 / 3 if bar % 3 == 2 and quarters == 4 else 0.5
        rows += [(start + place, step, int(rng.integers(65, 84))) for place in np.arange(0, quarters - 1e-6, step)]
    onset, length, pitch = (np.array(column) for column in zip(*rows))
    begin, end = tempo_map.seconds(onset), tempo_map.seconds(onset + length * legato)
    return note_table(begin, end - begin, pitch, np.full(len(pitch), 80))


POP = TempoMap(tempos((0, 600_000)), metres((0, 4, 4)))
WALTZ = TempoMap(tempos((0, 400_000)), metres((0, 3, 4)))
SIX_EIGHT = TempoMap(tempos((0, 500_000)), metres((0, 6, 8)))
PICKUP = TempoMap(tempos((0, 500_000)), metres((0, 4, 4)), start=-1.5)
SLOWER = TempoMap(tempos((0, 500_000), (16, 625_000)), metres((0, 4, 4), (16, 3, 4)))
WANDERING = TempoMap(tempos(*((2.0 * part, 560_000 + 25_000 * (part % 3)) for part in range(30))), metres((0, 4, 4)))


def pickup():
    notes = song(6, 4, TempoMap(tempos((0, 500_000))))
    notes["onset"] -= 1.5
    return notes[notes["onset"] >= 0]


def played():
    notes = song(10, 4, WANDERING)
    notes["onset"] += 0.3 + np.random.default_rng(0).normal(0, 0.012, len(notes))
    return np.sort(notes, order=["onset", "pitch"])


KINDS = {"pop": (song(8, 4, POP), POP), "waltz": (song(8, 3, WALTZ), WALTZ),
         "six-eight": (song(8, 3, SIX_EIGHT), SIX_EIGHT),
         "pickup": (pickup(), PICKUP), "slower": (song(6, 4, SLOWER), SLOWER), "played": (played(), TempoMap()),
         "chorale": (song(4, 4, POP, legato=1.0)[::2], POP)}


def read_by_music21(text):
    """Return (onset, length, pitch) of a score's notes, in quarters from its first bar; tied ones are one."""
    from music21 import converter

    rows, open_ties, score = [], {}, converter.parse(text, format="musicxml")
    for staff, part in enumerate(score.parts):
        for element in sorted(part.recurse().notes, key=lambda element: element.getOffsetInHierarchy(part)):
            onset = Fraction(element.getOffsetInHierarchy(part)).limit_denominator(GRID)
            end = onset + Fraction(element.quarterLength).limit_denominator(GRID)
            for note in element.notes if element.isChord else (element,):
                tie = (note.tie or element.tie).type if note.tie or element.tie else ""
                begin = open_ties.pop((staff, note.pitch.midi, onset), onset) if tie in ("stop", "continue") else onset
                if tie in ("start", "continue"):
                    open_ties[staff, note.pitch.midi, end] = begin
                else:
                    rows.append((begin, end - begin, note.pitch.midi))
    assert not open_ties
    return sorted(rows)


def read_by_us(text):
    """Return the same, by our own reader of scores, which leaves a pickup's bar as long as it is."""
    score = midi_file.parse(sheet.played(musicxml.staves_of(text)))
    notes = merge_tables(track.notes for track in score.tracks)
    begin = np.rint(score.tempo_map.quarters(notes["onset"]) * GRID).astype(int)
    end = np.rint(score.tempo_map.quarters(notes["onset"] + notes["duration"]) * GRID).astype(int)
    return sorted((Fraction(first, GRID), Fraction(last - first, GRID), pitch)
                  for first, last, pitch in zip(begin.tolist(), end.tolist(), notes["pitch"].tolist()))


def written(notes, tempo_map):
    """Return what is to be read."""
    table, _ = on_lines(notes, tempo_map)
    first = bars_of(tempo_map, notes)[0].begin
    return sorted((Fraction(chord.onset - first, GRID), Fraction(chord.length, GRID), pitch)
                  for hand in staves_of(table, True) for voice in voices_of(hand) for chord in voice
                  for pitch in chord.pitches)


def found_map(kind):
    """Return the tempo map of a song: that of its file, or the beats found where nobody has stated any."""
    notes, file_map = KINDS[kind]
    if kind != "played":
        return file_map
    return of_choice(choose(Score((Track("Piano", 0, False, notes),), file_map)), file_map).tempo_map


def musicxml_of(kind, join=9.6):
    notes, _ = KINDS[kind]
    return to_musicxml([Track("Piano", 0, False, notes)], [], found_map(kind), find_key(notes), join, "a song").decode()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(kind):
    notes, _ = KINDS[kind]
    text, wanted = musicxml_of(kind), written(notes, found_map(kind))
    assert read_by_music21(text) == wanted
    assert read_by_us(text) == wanted
    assert len(wanted) > 0.97 * len(notes)


@pytest.mark.parametrize(("kind", "signs"), [
    ("pop", ["<beats>4</beats>", 'tempo="100"', "<staves>2</staves>", "<bar-style>light-light</bar-style>"]),
    ("waltz", ["<beats>3</beats>", "<beat-type>4</beat-type>", 'tempo="150"']),
    ("six-eight", ["<beats>6</beats>", "<beat-type>8</beat-type>"]),
    ("slower", ['tempo="120"', 'tempo="96"', "<beats>4</beats>", "<beats>3</beats>"]),
    ("pickup", ['number="0"', "<beats>4</beats>"]), ("played", ["<beats>4</beats>"]),
])
def test_a_score_has_its_signs(kind, signs):
    text = musicxml_of(kind)
    for sign in (*signs, "<fifths>", "<mode>", "continuation", "a song", "<sign>G</sign>", "<sign>F</sign>"):
        assert sign in text, sign
    assert text.count("<rehearsal") == 1 and text.count("<part ") == 1


def test_a_key_that_is_struck_again_is_over_in_both_hands():
    low = [(0, 4, 48), (0, 4, 62), (1, 0.5, 62), (2, 2, 76), (2.5, 0.5, 62), (3, 0.25, 48)]
    onset, length, pitch = (np.array(column, float) for column in zip(*low))
    track = Track("", 0, False, note_table(onset / 2, length / 2, pitch, [80] * 6))
    text = to_musicxml([track], [], TempoMap(), Key(0, "major", 1.0), 0.5).decode()
    assert read_by_us(text) == read_by_music21(text) == written(track.notes, TempoMap())
    assert (Fraction(0), Fraction(1), 62) in read_by_us(text)


def test_a_pickup_is_a_short_bar():
    begin = [(bar.number, bar.end - bar.begin, bar.missing) for bar in bars_of(PICKUP, pickup())[:2]]
    assert begin == [(0, GRID, 3 * GRID), (1, 4 * GRID, 0)]


def test_a_band_has_a_part_for_each_instrument_and_none_for_drums():
    piano = Track("Piano", 0, False, song(4, 4, POP))
    bass, drums = Track("Bass", 33, False, song(4, 4, POP)[::7]), Track("Drums", 0, True, song(4, 4, POP))
    text = to_musicxml([piano], [bass, drums], POP, Key(0, "major", 1.0), 2.0).decode()
    assert text.count("<score-part ") == 2 and text.count("<part ") == 2 and "Bass" in text and "Drums" not in text
    assert len(read_by_us(text)) == len(written(piano.notes, POP)) + len(bass.notes)


def test_an_instrument_without_hands_has_one_staff():
    melody = Track("Violin", 40, False, compose_notes(1, bars=4)[::3])
    text = to_musicxml([melody], [], TempoMap(), Key(0, "major", 1.0), 2.0, has_hands=False).decode()
    assert "<staves>" not in text and text.count("<clef") == 1


@pytest.mark.parametrize(("pitch", "key", "name"), [
    (61, (9, "major"), "C#4"), (63, (3, "major"), "E-4"), (70, (0, "major"), "B-4"), (66, (0, "major"), "F#4"),
    (60, (6, "major"), "B#3"), (65, (6, "major"), "E#4"), (70, (2, "minor"), "B-4"), (61, (2, "minor"), "C#4"),
    (68, (9, "minor"), "G#4"), (59, (8, "major"), "C-4"), (59, (0, "major"), "B3"), (60, (1, "major"), "C4"),
])
def test_pitches_are_spelled_by_the_key(pitch, key, name):
    assert spelling(pitch, Key(*key, 1.0)) == name


def test_every_name_is_the_pitch():
    from music21.pitch import Pitch

    for tonic in range(12):
        for mode in ("major", "minor"):
            key = Key(tonic, mode, 1.0)
            assert -5 <= sharps_of(key) <= 6
            assert [Pitch(spelling(pitch, key)).midi for pitch in range(48, 72)] == [*range(48, 72)]


@pytest.mark.parametrize(("begin", "end", "beat", "parts"), [
    (0, 96, 24, [(0, 96)]), (0, 60, 24, [(0, 48), (48, 12)]), (12, 36, 24, [(12, 24)]),
    (18, 48, 24, [(18, 6), (24, 24)]), (0, 108, 36, [(0, 72), (72, 36)]), (12, 36, 36, [(12, 24)]),
    (30, 42, 36, [(30, 6), (36, 6)]),
])
def test_a_note_is_parted_at_beats(begin, end, beat, parts):
    assert pieces(begin, end, 0, beat, {}) == parts


def test_a_beat_of_thirds_has_whole_thirds():
    assert pieces(8, 24, 0, GRID, {0: 8}) == [(8, 16)]
    assert pieces(4, 20, 0, GRID, {0: 4}) == [(4, 4), (8, 8), (16, 4)]


def test_more_voices_than_a_staff_has_are_cut_and_no_note_is_lost():
    onset = np.arange(0, 4, 0.25)
    held = note_table(onset / 2, np.full(16, 8.0), 60 + np.arange(16), np.full(16, 80))
    table, _ = on_lines(held, TempoMap())
    voices = voices_of(table)
    assert len(voices) == 4 and sum(len(chord.pitches) for voice in voices for chord in voice) == 16
    for voice in voices:
        assert all(one.onset + one.length <= other.onset for one, other in zip(voice, voice[1:]))


def test_the_left_hand_plays_what_is_low():
    table, _ = on_lines(song(4, 4, POP), POP)
    left = is_left(table)
    assert left[table["pitch"] < 48].all() and not left[table["pitch"] > 64].any()
