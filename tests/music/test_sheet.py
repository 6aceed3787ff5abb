"""Scores as MIDI: what a musician reads in them is what is played."""

import io
import os
import signal
import threading

import mido
import numpy as np
import pytest

from serenity.errors import InputError
from serenity.music import midi_file
from serenity.music.sheet import CHORDS, MELODY, Reader, to_midi
from serenity.music.song import of_score
from serenity.notation import sheets

HEAD = "X:1\nL:1/4\n"


def read(data: str | bytes) -> midi_file.Score:
    return midi_file.parse(to_midi(sheets(data.encode() if isinstance(data, str) else data)[0]))


def abc(music: str, metre: str = "4/4", key: str = "C") -> midi_file.Score:
    return read(f"{HEAD}M:{metre}\nK:{key}\n{music}\n")


def quarters(score: midi_file.Score, track: int = 0) -> list[tuple[float, float, int]]:
    """Return (onset, duration, pitch) of a track, in quarters."""
    notes, clock = score.tracks[track].notes, score.tempo_map
    onset, end = clock.quarters(notes["onset"]), clock.quarters(notes["onset"] + notes["duration"])
    return list(zip(onset.round(3).tolist(), (end - onset).round(3).tolist(), notes["pitch"].tolist(), strict=True))


def onsets(score: midi_file.Score) -> list[float]:
    return [onset for onset, _, _ in quarters(score)]


def metres(score: midi_file.Score) -> list[tuple]:
    return score.tempo_map.metres.tolist()


# --- MusicXML by hand -------------------------------------------------------------------------------------------------

def note(pitch: str, quarters: float = 1, inside: str = "", notations: str = "", staff: int = 1) -> str:
    step, alter, octave = pitch[0], pitch.count("#") - pitch.count("b"), pitch[-1]
    return (f"<note>{inside}<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
            f"<duration>{int(4 * quarters)}</duration><voice>{staff}</voice><staff>{staff}</staff>"
            f"<notations>{notations}</notations></note>")


def rest(quarters: float) -> str:
    return f"<note><rest/><duration>{int(4 * quarters)}</duration></note>"


def grace(pitch: str, slash: str) -> str:
    return note(pitch, 0, f'<grace slash="{slash}"/>').replace("<duration>0</duration>", "").replace(
        "<voice>1</voice>", "<voice>1</voice><type>eighth</type>")


def direction(inside: str, sound: str = "") -> str:
    return f"<direction><direction-type>{inside}</direction-type>{sound}</direction>"


def part(*bars: str, metre=(4, 4), fifths: int = 0, staves: int = 1) -> str:
    attributes = (f"<attributes><divisions>4</divisions><key><fifths>{fifths}</fifths></key><time><beats>{metre[0]}"
                  f"</beats><beat-type>{metre[1]}</beat-type></time><staves>{staves}</staves></attributes>")
    return "".join(f'<measure number="{number}">{attributes * (number == 1)}{bar}</measure>'
                   for number, bar in enumerate(bars, start=1))


def musicxml(*parts: str, names=("Piano",), sounds=("keyboard.piano",), programs=(1,)) -> midi_file.Score:
    listed = "".join(
        f'<score-part id="P{number}"><part-name>{name}</part-name><score-instrument id="I{number}"><instrument-name>'
        f'{name}</instrument-name><instrument-sound>{sound}</instrument-sound></score-instrument><midi-instrument '
        f'id="I{number}"><midi-program>{program}</midi-program></midi-instrument></score-part>'
        for number, (name, sound, program) in enumerate(zip(names, sounds, programs, strict=True), start=1))
    music = "".join(f'<part id="P{number}">{bars}</part>' for number, bars in enumerate(parts, start=1))
    return read(f'<score-partwise version="4.0"><part-list>{listed}</part-list>{music}</score-partwise>')


# --- bars -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("music", "metre", "expected"), [
    ("CDEF|GABc|", "4/4", [(0, 4, 4)]),
    ("C|DEFG|ABcd|", "4/4", [(0, 1, 4), (1, 4, 4)]),                        # a pickup
    ("C/|DE/FG/|ABc|", "6/8", [(0, 1, 8), (0.5, 6, 8)]),
    ("C|DEFG|ABc|", "4/4", [(0, 1, 4), (1, 4, 4)]),                         # the last bar is what the pickup left
    ("|:C|DEFG|ABc:||:d|efga|bc'd':|", "4/4", [(0, 1, 4), (1, 4, 4)]),      # repeat signs cut bars
    ("CDEF|[M:3/4]GAB|cde|[M:4/4]f4|", "4/4", [(0, 4, 4), (4, 3, 4), (10, 4, 4)]),
    ("CDEF|GA|cdef|", "4/4", [(0, 4, 4), (4, 2, 4), (6, 4, 4)]),            # a bar that is too short
    ("CDEFG|cdef|", "4/4", [(0, 5, 4), (5, 4, 4)]),                         # a bar that is too long
    ("CDEFGABc|defg|", "4/4", [(0, 4, 4)]),                                 # a bar line was forgotten
    ("C3/2D3/2|E3|", "6/8", [(0, 6, 8)]),
])
def test_bars_stand_where_the_score_has_them(music, metre, expected):
    score = abc(music, metre)
    assert metres(score) == expected
    assert score.tempo_map.is_notated


def test_all_voices_count_for_a_bar_and_the_halves_of_a_cut_one_are_counted_in_the_order_of_playing():
    score = read(f"{HEAD}M:4/4\nK:C\nV:1\nC|:DEFG|ABc:|\nV:2\nz|:D,4|z3:|\n")
    assert metres(score) == [(0, 1, 4), (1, 4, 4), (5, 3, 4), (8, 4, 4)]


@pytest.mark.parametrize(("music", "metre"), [("C|DEFG|ABcd|e3|", "4/4"), ("CD|EFG|ABc|e|", "3/4"),
                                              ("C2D2|E4|", "4/4")])
def test_the_readers_bars_are_those_of_the_score(music, metre):
    """A pickup is the end of a whole bar, and no plain 4/4 is doubted."""
    song = of_score(abc(music * 3, metre))
    assert song.beats.source == "file"
    assert song.beats.metre == tuple(map(int, metre.split("/")))
    _, place, _ = song.tempo_map.bars(song.tempo_map.quarters(song.notes["onset"]))
    first = {"C|DE": 3, "CD|E": 1, "C2D2": 0}[music[:4]]
    assert place[0] == pytest.approx(first)


def test_the_bar_of_a_melody_that_never_stresses_it_is_believed():
    score = abc("zCDE|" * 16)
    song = of_score(score)
    _, place, _ = song.tempo_map.bars(song.tempo_map.quarters(song.notes["onset"]))
    assert place[0] == pytest.approx(1)


# --- what is played ---------------------------------------------------------------------------------------------------

def test_repeats_and_endings_are_played():
    assert [pitch for *_, pitch in quarters(abc("|:C4|[1 D4:|[2 E4||F4|"))] == [60, 62, 60, 64, 65]
    ending, end = '<barline><ending number="{}" type="{}"/>{}</barline>', '<repeat direction="backward"/>'
    score = musicxml(part(note("C4", 4), ending.format(1, "start", "") + note("D4", 4) + ending.format(1, "stop", end),
                          ending.format(2, "start", "") + note("E4", 4) + ending.format(2, "stop", ""),
                          note("F4", 4) + direction("<words>D.C. al Fine</words>")))
    assert [pitch for *_, pitch in quarters(score)][:5] == [60, 62, 60, 64, 65]


def test_tied_notes_are_one():
    assert quarters(abc("C4-|C2D2-|D4-|D4|")) == [(0, 6, 60), (6, 10, 62)]


def test_chords_and_their_ties():
    assert quarters(abc("[CE]2-[CE]2|[CE-]4|[EG]4|")) == [(0, 4, 60), (0, 4, 64), (4, 4, 60), (4, 8, 64), (8, 4, 67)]
    assert quarters(musicxml(part(note("C4", 4, '<tie type="start"/>'), note("C4", 4, '<tie type="stop"/>')))) == [
        (0, 8, 60)]


def test_a_grace_note_comes_before_the_beat_and_an_appoggiatura_takes_half():
    score = musicxml(part(note("C4", 2) + grace("E4", "yes") + note("D4", 2),
                          grace("F4", "no") + note("E4", 4)))
    assert quarters(score) == [(0, 2, 60), (1.875, 0.125, 64), (2, 2, 62), (4, 2, 65), (6, 2, 64)]


def test_grace_notes_at_the_start_and_several_before_a_beat():
    assert quarters(abc("{e}C2{de}D2|")) == [
        (0, 2, 60), (0, 0.125, 76), (1.75, 0.125, 74), (1.875, 0.125, 76), (2, 2, 62)]


def test_tempos():
    mark = direction("<words>Slow</words>", '<sound tempo="60"/>')
    score = musicxml(part(mark + note("C4", 4), note("D4", 2) + mark.replace("60", "90") + note("E4", 2)))
    assert [(start, round(6e7 / length)) for start, length in score.tempo_map.tempos.tolist()] == [(0, 60), (6, 90)]


def test_dynamics_hairpins_and_accents_are_velocities():
    loud, soft = direction("<dynamics><f/></dynamics>"), direction("<dynamics><p/></dynamics>")
    grows, stop = direction('<wedge type="crescendo"/>'), direction('<wedge type="stop"/>')
    accent = "<articulations><accent/></articulations>"
    score = musicxml(part(note("C4", 4), soft + note("D4", 4),
                          grows + note("E4") + note("F4") + note("G4") + note("A4") + stop,
                          loud + note("C5", 2) + note("D5", 2, "", accent)))
    velocity = score.tracks[0].notes["velocity"].tolist()
    assert velocity[:3] == [80, 49, 49]
    assert velocity[2:6] == sorted(set(velocity[2:6]))
    assert velocity[6:] == [96, 112]


def test_a_hairpin_that_hangs_on_a_note_of_a_chord_costs_no_song():
    grows, stop = direction('<wedge type="crescendo"/>'), direction('<wedge type="stop"/>')
    chord = note("C4", 4) + grows + note("E4", 4, "<chord/>") + stop
    assert [pitch for *_, pitch in quarters(musicxml(part(chord, note("D4", 4))))] == [60, 64, 62]


def test_a_staccato_is_short():
    score = musicxml(part(note("C4", 2, "", "<articulations><staccato/></articulations>") + note("D4", 2)))
    assert quarters(score) == [(0, 1, 60), (2, 2, 62)]


def test_key_signatures():
    data = to_midi(sheets(f"{HEAD}M:4/4\nK:Ebm\nE4|[K:D]D4|\n".encode())[0])
    keys = [message.key for message in mido.MidiFile(file=io.BytesIO(data)).tracks[0]
            if message.type == "key_signature"]
    assert keys == ["Ebm", "D"]


def test_sounding_pitches_of_an_instrument_that_transposes():
    clarinet = part(note("D5", 4)).replace("</staves>", "</staves><transpose><diatonic>-1</diatonic>"
                                           "<chromatic>-2</chromatic></transpose>")
    assert quarters(musicxml(clarinet)) == [(0, 4, 72)]


# --- parts ------------------------------------------------------------------------------------------------------------

def test_a_song_is_one_piano_part_of_voice_and_two_staves():
    piano = part(note("C4", 4) + "<backup><duration>16</duration></backup>" + note("C3", 4, staff=2), staves=2)
    score = musicxml(part(note("G4", 4)), piano, names=("Gesang", "Pianoforte"),
                     sounds=("voice.vocals", "keyboard.piano"), programs=(69, 1))
    assert [(track.name, track.program, track.notes["pitch"].tolist()) for track in score.tracks] == [
        ("Voice", 0, [67]), ("Pianoforte", 0, [48, 60])]
    assert of_score(score).notes["pitch"].tolist() == [48, 60, 67]


def test_other_instruments_stay_what_they_are():
    score = musicxml(part(note("G4", 4)), part(note("C4", 4)), names=("Violin", "Piano"),
                     sounds=("strings.violin", "keyboard.piano"), programs=(41, 1))
    assert [(track.name, track.program) for track in score.tracks] == [("Violin", 40), ("Piano", 0)]


def test_the_voices_of_a_hymn_stay_together_through_its_lines():
    hymn = "[V:S] C2E2|\n[V:B] C,4|\n[V:S] G4|\n[V:B] G,4|"
    assert [track.notes["pitch"].tolist() for track in abc(hymn).tracks] == [[60, 64, 67], [48, 55]]


# --- lead sheets ------------------------------------------------------------------------------------------------------

def test_chord_symbols_sound_under_the_melody_until_the_next():
    score = abc('"Am"e2e2|"D7/F#"d4|d2"N.C."d2|"G"d4|')
    assert [track.name for track in score.tracks] == [MELODY, CHORDS]
    chords = {}
    for onset, duration, pitch in quarters(score, 1):
        chords.setdefault((onset, duration), []).append(pitch)
    assert [(span, min(chord) % 12, {pitch % 12 for pitch in chord}) for span, chord in chords.items()] == [
        ((0, 4), 9, {9, 0, 4}), ((4, 6), 6, {2, 6, 9, 0}), ((12, 4), 7, {7, 11, 2})]
    assert max(max(chord) for chord in chords.values()) < 74
    assert [pitch for *_, pitch in quarters(score, 0)] == [76, 76, 74, 74, 74, 74]


def test_chord_symbols_over_written_chords_only_name_them():
    score = read(f'{HEAD}M:4/4\nK:C\nV:1\n"C"c4|\nV:2\n[C,E,G,]4|\n')
    assert [len(track.notes) for track in score.tracks] == [1, 3]


# --- what cannot be read ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("music", ["z4|z4|", "", "%"])
def test_a_score_without_notes_is_refused(music):
    with pytest.raises(InputError, match="holds no note"):
        abc(music)


def test_what_music21_stumbles_over_is_a_line():
    with pytest.raises(InputError, match="cannot be read: "):
        musicxml(part(note("C4").replace("<octave>4", "<octave>four")))


def test_a_reader_reads_again_after_a_score_that_took_too_long():
    bars = part(*[note("C4", 4)] * 400)
    [sheet] = sheets(f'<score-partwise><part-list><score-part id="P1"><part-name/></score-part></part-list>'
                     f'<part id="P1">{bars}</part></score-partwise>'.encode())
    with Reader(seconds=0.01) as reader:
        with pytest.raises(InputError, match="takes more than 0.01 s of the processor"):
            reader(sheet)
        reader.seconds = 60
        midi = reader(sheets(f"{HEAD}K:C\nC4|\n".encode())[0])
        with pytest.raises(InputError, match="holds no note"):
            reader(sheets(f"{HEAD}K:C\nz4|\n".encode())[0])
    assert np.array_equal(midi_file.parse(midi).tracks[0].notes["pitch"], [60])


def test_what_others_do_on_the_machine_does_not_count_but_a_process_that_hangs_is_ended():
    [sheet] = sheets(f"{HEAD}K:C\nC4|\n".encode())
    with Reader() as reader:
        midi = reader(sheet)
        process, reader.seconds = reader._process, 0.3
        os.kill(process.pid, signal.SIGSTOP)
        threading.Timer(0.5, os.kill, (process.pid, signal.SIGCONT)).start()
        assert reader(sheet) == midi
        os.kill(process.pid, signal.SIGSTOP)
        reader.patience = 0.1
        with pytest.raises(InputError, match="was not read within 0.1 s"):
            reader(sheet)
        assert process.exitcode == -signal.SIGKILL


def test_a_reader_whose_process_was_ended_says_so_and_begins_another():
    [sheet] = sheets(f"{HEAD}K:C\nC4|\n".encode())
    with Reader() as reader:
        midi = reader(sheet)
        reader._process.kill()
        reader._process.join()
        with pytest.raises(InputError, match="ends the process that reads it"):
            reader(sheet)
        assert reader(sheet) == midi


def test_a_piece_of_humdrum_is_played():
    score = read("!!!OTL: Two hands\n**kern\t**kern\n*M3/4\t*M3/4\n=1\t=1\n2.C\t4c\n.\t4d\n.\t[4e\n=2\t=2\n"
                 "2.G\t4e]\n.\t2f\n==\t==\n*-\t*-\n")
    assert metres(score) == [(0, 3, 4)]
    assert sorted(note for number in range(2) for note in quarters(score, number)) == [
        (0, 1, 60), (0, 3, 48), (1, 1, 62), (2, 2, 64), (3, 3, 55), (4, 2, 65)]
