"""ABC notation, read as the standard has it; and as abc2midi reads it, on tunes that the tests make up."""

import pytest

from serenity.errors import InputError
from serenity.music.tune import staves_of


def read(music: str, **fields: str):
    said = {"L": "1/4", "M": "4/4"} | fields
    head = "".join(f"{letter}:{value}\n" for letter, value in said.items() if letter != "K")
    return staves_of(f"X:1\n{head}K:{fields.get('K', 'C')}\n{music}\n")


def notes(music: str, **fields: str) -> list[tuple[float, float, int]]:
    """Return (onset, length, pitch) of the first voice, the bars one behind the other."""
    found, start = [], 0
    for measure in read(music, **fields)[0].measures:
        found += [(float(start + note.onset), float(note.length), note.pitch) for note in measure.notes]
        start += measure.length
    return found


def pitches(music: str, **fields: str) -> list[int]:
    return [pitch for *_, pitch in notes(music, **fields)]


def lengths(music: str, **fields: str) -> list[float]:
    return [length for _, length, _ in notes(music, **fields)]


@pytest.mark.parametrize(("music", "expected"), [
    ("C,,C,Ccc'c''", [36, 48, 60, 72, 84, 96]),
    ("^C_DE=F^^G__A", [61, 61, 64, 65, 69, 67]),
    ("^FF|F", [66, 66, 65]),              # an accidental holds for its bar
    ("^Ff", [66, 77]),                    # and for its octave
    ("[CEG]2", [60, 64, 67]),
    ("C!fermata!D.E~FHGTA", [60, 62, 64, 65, 67, 69]),
    ("(CD)(3EFG `A", [60, 62, 64, 65, 67, 69]),
    ('"Am"C"^slow"D"_x"E', [60, 62, 64]),
])
def test_pitches(music, expected):
    assert pitches(music) == expected


@pytest.mark.parametrize(("key", "expected"), [
    ("C", "CDEFGAB"), ("G", "CDE^FGAB"), ("Bb", "CD_EFGA_B"), ("F#", "^C^D^E^F^G^AB"), ("Em", "CDE^FGAB"),
    ("Ddor", "CDEFGAB"), ("A mix", "^CDE^FGAB"), ("Ephr", "CDEFGAB"), ("F lydian", "CDEFGAB"), ("Bloc", "CDEFGAB"),
    ("HP", "^CDE^FGAB"), ("D exp _b", "CDEFGA_B"), ("D =c", "CDE^FGAB"), ("none", "CDEFGAB"), ("Am", "CDEFGAB"),
    ("Cmaj clef=bass", "CDEFGAB"), ("C octave=-1", "C,D,E,F,G,A,B,"), ("C transpose=-2", "_B,CD_EFGA"),
    ("C clef=treble-8", "C,D,E,F,G,A,B,"),
])
def test_keys(key, expected):
    assert pitches("CDEFGAB", K=key) == pitches(expected)


@pytest.mark.parametrize(("music", "expected"), [
    ("C C2 C/ C/2 C// C3/2 C3/4 C/4", [1, 2, .5, .5, .25, 1.5, .75, .25]),
    ("C>D C<D C>>D", [1.5, .5, .5, 1.5, 1.75, .25]),
    ("[CE]>D", [1.5, 1.5, .5]),
    ("[C2E]2 D", [4, 4, 1]),
    ("(3CDE F", [2 / 3, 2 / 3, 2 / 3, 1]),
    ("(3:2:2C2D E", [4 / 3, 2 / 3, 1]),
    ("(2CD (4CDEF", [1.5, 1.5, .75, .75, .75, .75]),
    ("(3z CD", [2 / 3, 2 / 3]),
    (".C D", [.5, 1]),
])
def test_lengths(music, expected):
    assert lengths(music) == pytest.approx(expected)


@pytest.mark.parametrize(("fields", "expected"), [
    ({"L": "1/8"}, .5), ({"L": "1/16", "M": "4/4"}, .25), ({"L": "", "M": "2/4"}, .25), ({"L": "", "M": "6/8"}, .5),
    ({"L": "", "M": "C"}, .5),
])
def test_the_length_of_a_note_without_one(fields, expected):
    assert lengths("C", **fields) == [expected]


@pytest.mark.parametrize(("music", "expected"), [
    ("CDEF|GA|", [4, 2]), ("|CDEF||GABc|]", [4, 4]), ("z4|x2|Z2|C|", [4, 2, 4, 4, 1]), ("CD & E4|F4|", [4, 4]),
    ("CDEFGABc|", [4, 4]), ("CDEFG|", [5]), ("CD\\\nEF|", [4]),
])
def test_bars(music, expected):
    assert [measure.length for measure in read(music)[0].measures] == expected


@pytest.mark.parametrize(("music", "expected"), [
    ("|:C4:|", [{"begins_repeat": True, "rounds": 2}]),
    ("C|:D4:|", [{}, {"begins_repeat": True, "rounds": 2}]),
    ("C4::D4:|", [{"rounds": 2}, {"begins_repeat": True, "rounds": 2}]),
    ("|:C4:||:D4:|", [{"begins_repeat": True, "rounds": 2}] * 2),
    ("|::C4::|", [{"begins_repeat": True, "rounds": 3}]),
    ("C4|1D4:|2E4||F4|", [{}, {"endings": {1}, "rounds": 2}, {"endings": {2}}, {}]),
    ("C4|[1,3 D4:|[2 E4|]", [{}, {"endings": {1, 3}, "rounds": 2}, {"endings": {2}}]),
    ("!segno!C4|D4!fine!|E4!D.S.!|", [{"is_segno": True}, {"is_fine": True}, {"back_to": "segno"}]),
])
def test_repeats_and_endings(music, expected):
    assert [measure.order for measure in read(music)[0].measures] == expected


def test_ties_graces_and_accents():
    [measure] = read("C-C {de}!>!F2|")[0].measures
    assert [(note.pitch, note.is_tied, note.is_accented) for note in measure.notes] == [
        (60, True, False), (60, False, False), (74, False, False), (76, False, False), (65, False, True)]
    assert [float(note.onset) for note in measure.notes] == [0, 1, 1.75, 1.875, 2]


def test_voices_come_line_by_line_and_keep_what_is_theirs():
    soprano, bass = read("[V:S] CD|\n[V:B clef=bass] C,D,|\n[V:S][K:G] F2|\n[V:B] F,2|")
    assert [[note.pitch for measure in staff.measures for note in measure.notes] for staff in (soprano, bass)] == [
        [60, 62, 66], [48, 50, 53]]


def test_fields_in_the_middle_of_a_tune():
    one, two, three = read("C4|[M:3/4][L:1/8]C6|\nM:2/4\nQ:1/4=90\nK:D\nF4|")[0].measures
    assert (one.metre, two.metre, three.metre) == ((4, 4), (3, 4), (2, 4))
    assert (three.tempos, three.keys, three.notes[0].pitch) == ([(0, False, 90)], [(0, "D")], 66)


@pytest.mark.parametrize(("tempo", "bpm"), [("1/4=90", 90), ("3/8=60", 90), ('"Allegro" 1/4=120', 120), ("120", 120),
                                            ("1/8=100", 50), ("1/4 1/8=60", 90), ("slow", None)])
def test_tempos(tempo, bpm):
    assert [row[2] for row in read("C4|", Q=tempo)[0].measures[0].tempos] == [bpm] * (bpm is not None)


def test_words_comments_and_what_follows_an_empty_line_are_no_music():
    assert pitches("C % D\nw: E E E\n%%text F\n%%begintext\nGAB\n%%endtext\nc\n\nA free text") == [60, 72]


def test_text_that_is_no_tune_is_refused():
    with pytest.raises(InputError, match="wanted ABC notation"):
        staves_of("X:1\nT:no key\nCDEF|")


@pytest.mark.parametrize("text", [
    "(", "[", "{", '"', "(9:9:9", "C" * 5000, "|" * 999, "(3", "C>", ">C", "[1", "C9999999999", "C/" + "/" * 99,
    "Z99999999|", "[V:]", "[K:]", "[M:0/0]", "[L:0]", "[L:1/0]", "[Q:0]", "&&&"])
def test_nonsense_ends(text):
    read(text)
