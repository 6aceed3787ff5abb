"""generate.py: a seed goes in, the song comes out in the seed's key and tempo; broken seeds give one line."""

import json
import os
import pty
import re
import subprocess
import sys
import termios
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import generate
from serenity import command_line, completion, outputs
from serenity.completion import Request
from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.music import expression, midi_file
from serenity.music.midi_file import Track
from serenity.music.nearness import Collapse
from serenity.music.note import end_time, merge_tables, note_table
from serenity.music.song import of_score
from serenity.music.tempo_map import TempoMap, metres, tempos
from serenity.music.voices import MELODY, voices
from tests.scripts import asking
from tests.songs import compose_notes

SCRIPT = Path(__file__).parent.parent / "generate.py"


WALTZ = TempoMap(tempos((0.0, 500_000), (16.0, 400_000)), metres((0.0, 3, 4)), 384)


def composed(tempo_map=WALTZ, number=1, **more):
    """Return 32 quarters of music as they sound on a map."""
    notes = compose_notes(number, bars=8, **more)
    ends = tempo_map.seconds(2 * (notes["onset"] + notes["duration"]))
    notes["onset"] = tempo_map.seconds(2 * notes["onset"])
    notes["duration"] = ends - notes["onset"]
    return notes


def write_seed(path, notes=None, tempo_map=WALTZ):
    notes = composed(tempo_map) if notes is None else notes
    midi_file.write(path, [Track("Piano", 0, False, notes, np.array([(1.0, 3.0)]))], tempo_map)
    return path


@pytest.fixture
def complete(model_folder, tmp_path):
    """Return a function that completes a seed and gives back the seed's score and the song's."""
    def run(song=None, name="out.mid", **changes):
        seed = song or write_seed(tmp_path / "seed.mid")
        out = tmp_path / name
        settings = {"events": 24, "picture": False} | changes
        generate.main(asking(song=seed, out=out, model=model_folder, **settings))
        return midi_file.read(seed), (midi_file.read(out) if out.exists() else None)
    return run


def test_the_seed_stands_in_the_song_as_it_was(complete):
    seed, song = complete()
    assert len(song.tracks) == 2
    np.testing.assert_array_equal(song.tracks[0].notes["pitch"], seed.tracks[0].notes["pitch"])
    np.testing.assert_allclose(song.tracks[0].notes["onset"], seed.tracks[0].notes["onset"], atol=1e-3)
    np.testing.assert_allclose(song.tracks[0].pedals, seed.tracks[0].pedals, atol=1e-3)
    assert song.tempo_map.ticks_per_quarter == seed.tempo_map.ticks_per_quarter
    np.testing.assert_array_equal(song.tempo_map.tempos, seed.tempo_map.tempos)
    np.testing.assert_array_equal(song.tempo_map.metres, seed.tempo_map.metres)


def test_the_continuation_begins_when_the_seed_has_been_heard(complete):
    seed, song = complete()
    assert song.tracks[1].name == "continuation"
    assert song.tracks[1].notes["onset"][0] >= seed.tracks[0].notes["onset"][-1]


def test_a_transposed_seed_gives_the_same_song_transposed(complete, tmp_path):
    """The key is normalised before the network and restored after it."""
    for name, transposition in (("a.mid", 0), ("b.mid", 3)):
        write_seed(tmp_path / name, composed(transposition=transposition))
    _, low = complete(tmp_path / "a.mid", "a-out.mid")
    _, high = complete(tmp_path / "b.mid", "b-out.mid")
    np.testing.assert_array_equal(low.tracks[1].notes["pitch"] + 3, high.tracks[1].notes["pitch"])


def test_values_that_the_model_lacks_are_reported(complete, tmp_path, capsys):
    strange = composed()
    strange["pitch"][::7] = 25
    complete(write_seed(tmp_path / "strange.mid", strange))
    output = capsys.readouterr().out
    assert "piano by name (Piano); 84 notes, 0 left out" in output
    assert re.search(r"(major|minor) \(confidence 0\.\d\d\); \d+ of \d+ events as prompt, \d+\.\d of \d+\.\d s", output)
    assert re.search(r"the model does not know \d+ of \d+ chords \([a-g].* -> [a-g].*: the nearest is taken", output)


@pytest.mark.parametrize(("bits", "most", "said"), [
    (20.0, 1.0, "note: this seed is far from the songs that the model learned from (20 bits for a chord and its step;"),
    (9.0, 1.0, None), (None, 1.0, None), (9.0, 0.01, "note: the model does not know most chords of this seed ("),
])
def test_a_seed_far_from_what_the_model_knows_is_told(bits, most, said, complete, tmp_path, capsys, monkeypatch):
    from serenity import completion

    monkeypatch.setattr(completion.generation, "prompt_bits", lambda *_: bits)
    monkeypatch.setattr(completion, "MOST_UNKNOWN", most)
    complete(write_seed(tmp_path / "seed.mid", composed(number=7)))
    found = [line for line in capsys.readouterr().out.splitlines() if "of this seed" in line or "this seed is" in line]
    assert [line[:len(said)] for line in found] == [said] if said else not found


def test_a_seed_longer_than_the_window_is_completed(complete, tmp_path):
    seed, song = complete(write_seed(tmp_path / "long.mid", compose_notes(4, bars=200), TempoMap()))
    assert song.tracks[1].notes["onset"][0] >= seed.tracks[0].notes["onset"][-1]


def test_nothing_is_played_under_a_last_chord_that_is_held(complete, tmp_path):
    notes = composed(TempoMap())
    notes = np.append(notes, np.array([(16.0, 6.0, pitch, 80) for pitch in (48, 60, 64)], notes.dtype))
    _, song = complete(write_seed(tmp_path / "held.mid", notes, TempoMap()), seed=3)
    assert song.tracks[1].notes["onset"][0] == pytest.approx(22, abs=1e-3)


# --- how long ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("length", "bars"), [({"bars": 3}, 3), ({"seconds": 4.4}, 3), ({"seconds": 0.1}, 1)])
def test_a_song_ends_with_a_bar_of_the_seeds_metre(length, bars, complete, capsys):
    seed, song = complete(events=None, top_k=20, candidates=1, **length)
    lines = seed.tempo_map.bar_onsets(100.0)  # 3/4, and the tempo changes
    last, end = seed.tracks[0].notes["onset"][-1], end_time(song.tracks[1].notes)
    line = lines[lines > last][bars]
    assert line - 1.5 < end <= line + 1e-3
    assert f"out.mid: {bars} bar{'s' * (bars > 1)}, " in capsys.readouterr().out


@pytest.mark.parametrize("events", [60, 75])
def test_a_song_of_so_many_events_is_the_one_of_the_bars_that_they_fill(events, complete, capsys):
    _, song = complete(events=events, top_k=20)
    bars, made = map(int, re.search(r"out.mid: (\d+) bars, (\d+) events, ", capsys.readouterr().out).groups())
    _, same = complete(events=None, bars=bars, name="same.mid", top_k=20)
    np.testing.assert_array_equal(song.tracks[1].notes, same.tracks[1].notes)
    assert bars > 1 and events - 30 < made <= events


def test_events_that_fill_no_bar_end_with_the_first(complete):
    seed, song = complete(events=2, top_k=20)
    lines = seed.tempo_map.bar_onsets(100.0)
    line = lines[lines > seed.tracks[0].notes["onset"][-1]][1]
    assert len(song.tracks[1].notes) >= 2 and end_time(song.tracks[1].notes) <= line + 1e-3


def test_the_song_may_end_where_the_model_ends_it(complete):
    _, whole = complete(events=300, top_k=0, seed=1)
    _, ended = complete(events=300, top_k=0, seed=1, may_end=True)
    assert len(ended.tracks[1].notes) < len(whole.tracks[1].notes)


def test_a_song_that_would_end_with_the_seed_or_go_on_too_late_is_told(complete, monkeypatch):
    from serenity.model import generation

    ended = generation.Continuation(np.empty((0, 4), np.int32), np.empty((0, 4), np.float32))
    monkeypatch.setattr(generation, "complete", lambda *args, **options: [ended])
    with pytest.raises(InputError, match="seed.mid: the model ends the song where the seed ends; wanted another"):
        complete(may_end=True)
    with pytest.raises(InputError, match="seed.mid: the model would not go on within this time; wanted a longer one"):
        complete(events=None, seconds=0.5)


# --- beats ------------------------------------------------------------------------------------------------------------

# Music that wanders around 103 quarters a minute and begins at 0.7 s, in a file that says 120 and means nothing by it.
WANDERING = TempoMap(tempos(*((2.0 * part, 560_000 + 25_000 * (part % 3)) for part in range(16))), metres((0.0, 4, 4)),
                     start=0.7)


@pytest.fixture
def free(tmp_path):
    return write_seed(tmp_path / "free.mid", composed(WANDERING), TempoMap())


def beat_line(capsys):
    """Return what was said of the beats: where they come from, their tempo, metre, and the second of a bar line."""
    line, = (line for line in capsys.readouterr().out.splitlines() if line.startswith("  beat: "))
    source, bpm, metre, start = re.fullmatch(r"  beat: (\S+ \S+|found), (\d+) BPM.*?, (\d+/\d+).*, bar 1 at (\S+) s.*",
                                             line).groups()
    return source, int(bpm), metre, float(start)


@pytest.mark.parametrize(("flags", "source", "bpm", "metre"), [
    ({}, "found", 103, "4/4"), ({"bpm": 103.0}, "as given", 103, "4/4"), ({"level": "half"}, "found", 51, None),
    ({"level": "double"}, "found", 206, None), ({"metre": "3/4"}, "found", 103, "3/4"),
])
def test_a_user_may_know_the_beats_better(flags, source, bpm, metre, complete, free, capsys):
    complete(free, events=3, **flags)
    said = beat_line(capsys)
    assert said[:1] == (source,) and said[1] == pytest.approx(bpm, rel=0.02)
    assert metre is None or said[2] == metre


@pytest.mark.parametrize("first_beat", [0.5, 1.0, 1.5])
def test_a_bar_begins_where_one_says(first_beat, complete, tmp_path, capsys):
    seed = write_seed(tmp_path / "seed.mid", tempo_map=TempoMap())
    complete(seed, events=3, first_beat=first_beat)
    assert beat_line(capsys) == ("the file's", 120, "4/4", first_beat)


def test_bars_are_those_of_the_metre_that_one_states(complete, tmp_path):
    """The last onset is at 15.5 s. Bars of 1.5 s from 1 s on: the seed's last one ends at 16 s, the next at 17.5."""
    seed = write_seed(tmp_path / "seed.mid", tempo_map=TempoMap())
    _, song = complete(seed, events=None, bars=1, top_k=20, seed=2, metre="3/4", first_beat=1.0)
    assert 16 < end_time(song.tracks[1].notes) <= 17.5 + 1e-3


@pytest.mark.parametrize(("flags", "parts"), [
    ({}, 4), ({"level": "double"}, 2), ({"prompt_last": 30}, 4), ({"prompt_seconds": (4.0, 12.0)}, 4)])
def test_found_beats_are_written_and_every_note_stays_at_its_second(flags, parts, complete, free):
    """Of eighths: they stand near a sixteenth of the beats found, not near one of the file's."""
    _, usual = complete(free, "usual.mid", **flags)
    _, song = complete(free, write_beats=True, **flags)
    for track, same in zip(song.tracks, usual.tracks):
        np.testing.assert_array_equal(track.notes["pitch"], same.notes["pitch"])
        np.testing.assert_allclose(track.notes["onset"], same.notes["onset"], atol=1e-3)
    beside = [abs(clock.quarters(song.tracks[0].notes["onset"]) * parts % 1 - 0.5) for clock in
              (song.tempo_map, usual.tempo_map)]
    assert np.quantile(beside[0], 0.1) > 0.3 and np.quantile(beside[1], 0.1) < 0.2  # 0.5: upon it; 0: half way


def test_found_bars_are_the_bars_of_the_written_file(complete, free):
    _, song = complete(free, write_beats=True)
    found = of_score(midi_file.read(free)).tempo_map.bar_onsets(15.0)
    written = song.tempo_map.bar_onsets(15.0)
    assert len(found) == 7 and abs(found[:, None] - written).min(axis=1).max() < 1e-3


@pytest.mark.parametrize("quarter", [1_200_000, 2_000_000])
def test_slow_music_stays_at_its_second_too(quarter, complete, tmp_path):
    slow = TempoMap(tempos((0.0, quarter)), ticks_per_quarter=4800, start=0.4)
    seed, song = complete(write_seed(tmp_path / "slow.mid", composed(slow), replace(slow, start=0.0)), write_beats=True)
    np.testing.assert_allclose(song.tracks[0].notes["onset"], seed.tracks[0].notes["onset"], atol=1e-3)


# --- the prompt -------------------------------------------------------------------------------------------------------

def test_the_first_events_cut_the_end(complete):
    seed, song = complete(prompt_events=20)
    kept = song.tracks[0].notes
    assert 20 <= len(kept) < len(seed.tracks[0].notes)
    np.testing.assert_array_equal(kept["pitch"], seed.tracks[0].notes["pitch"][:len(kept)])
    assert kept["onset"][-1] <= song.tracks[1].notes["onset"][0] < seed.tracks[0].notes["onset"][-1]


def test_the_last_events_cut_the_beginning_at_a_bar(complete):
    seed, song = complete(prompt_last=10)
    kept, whole = song.tracks[0].notes, seed.tracks[0].notes
    assert 10 <= len(kept) < len(whole)
    np.testing.assert_array_equal(kept["pitch"], whole["pitch"][-len(kept):])
    taken_off = whole["onset"][-1] - kept["onset"][-1]
    assert np.abs(seed.tempo_map.bar_onsets(20.0) - taken_off).min() < 2e-3
    assert 0 <= kept["onset"][0] < 1.5  # within its first bar


def test_a_time_range_is_the_prompt(complete):
    seed, song = complete(prompt_seconds=(4.0, 8.0))
    onset = seed.tracks[0].notes["onset"]
    assert len(song.tracks[0].notes) == ((onset >= 3.999) & (onset < 7.999)).sum()
    with pytest.raises(InputError, match="nothing begins from 500 s up to 501 s; wanted a part of 0.0 s to 1"):
        complete(prompt_seconds=(500.0, 501.0))


def test_another_prompt_gives_another_song(complete, tmp_path):
    songs = [complete(name=f"{number}.mid", top_k=20, events=60, **part)[1].tracks[-1].notes["pitch"].tolist()
             for number, part in enumerate([{}, {"prompt_events": 20}, {"prompt_last": 20}])]
    assert songs[0] != songs[1] != songs[2] != songs[0]


# --- how events are chosen --------------------------------------------------------------------------------------------

def continuation(complete, **changes):
    return complete(**changes)[1].tracks[-1].notes


def test_the_same_seed_number_gives_the_same_bytes(complete, tmp_path):
    for name in ("a.mid", "b.mid"):
        complete(name=name, top_k=20, temperature=1.5)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


@pytest.mark.parametrize("other", [
    {"seed": 2}, {"temperature": 3.0}, {"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.3},
    {"top_k": {"pitch": 2}}, {"temperature": {"velocity": 9.0}},
])
def test_each_way_to_choose_makes_another_song(other, complete):
    usual = {"top_k": 20, "seed": 1, "events": 60}
    assert not np.array_equal(continuation(complete, **usual), continuation(complete, **usual | other))


@pytest.mark.parametrize("safe", [{"temperature": 0.0}, {"temperature": 0.001}, {"top_p": 1e-9}, {"min_p": 1.0}])
def test_no_chance_left_is_the_likeliest(safe, complete):
    np.testing.assert_array_equal(continuation(complete, **safe), continuation(complete, top_k=1))


@pytest.mark.parametrize(("bpm", "said"), [(120.0, "note: --bpm 120 does not fit the notes; 88 BPM is taken"),
                                           (88.0, None), (176.0, None)])
def test_a_tempo_that_does_not_fit_is_not_passed_over_in_silence(bpm, said, complete, capsys):
    complete(asking().song, bpm=bpm, events=5)
    assert (said in capsys.readouterr().out) if said else "does not fit" not in capsys.readouterr().out


def test_a_number_for_one_attribute_leaves_the_others_their_default():
    sampling, usual = Request(top_k={"pitch": 16}, temperature={"step": 0.5}).samplings(), Request()
    assert [sampling[name].top_k for name in ("pitch", "step", "duration")] == [16, usual.top_k, usual.top_k]
    assert [sampling[name].temperature for name in ("pitch", "step")] == [usual.temperature, 0.5]


def test_a_paths_spelling_never_changes_the_song(complete, tmp_path, monkeypatch):
    monkeypatch.chdir(SCRIPT.parent)
    for number, song in enumerate([asking().song, Path("data/intro.mid"), Path("tests/../data/intro.mid")]):
        complete(song, f"{number}.mid")
    assert len({(tmp_path / f"{number}.mid").read_bytes() for number in range(3)}) == 1


def test_the_example_spelled_otherwise_is_no_other_seed_of_a_replay(complete, replay, tmp_path, capsys, monkeypatch):
    complete(asking().song)
    monkeypatch.chdir(SCRIPT.parent)
    replay(tmp_path / "out.mid", song=Path("tests/../data/intro.mid"))
    assert "the same bytes as" in capsys.readouterr().out


def test_a_recipe_says_what_holds_for_every_attribute(complete, tmp_path):
    complete(top_k={"pitch": 3})
    flags = json.loads(midi_file.read(tmp_path / "out.mid").texts[0])["flags"]
    assert flags["top_k"] == {"pitch": 3, "step": 0, "duration": 0, "velocity": 0} and flags["temperature"] == 0.9


@pytest.mark.parametrize("words, value", [("16", 16), ("pitch=16,step=8", {"pitch": 16, "step": 8})])
def test_the_shell_gives_a_number_for_all_or_for_some(words, value):
    assert command_line.parsed(generate.Parameters, ["--top-k", words]).request.top_k == value


def test_nothing_said_means_what_the_evidence_recommends(complete):
    """The evidence is what the shipped model was judged by: of the temperatures tried, validation songs chose one."""
    judged = json.loads((SCRIPT.parent / "benchmarks" / "quality.json").read_text())
    usual = Request()
    assert (usual.temperature, usual.top_k) == (judged["generated"]["recommended"], judged["settings"]["top_k"])
    said = continuation(complete, temperature=usual.temperature, top_k=usual.top_k)
    np.testing.assert_array_equal(continuation(complete), said)
    assert not np.array_equal(said, continuation(complete, top_k=1))


def test_the_guard_breaks_loops(complete):
    """The likeliest chords of random weights go round; held back, they give way to others."""
    loop, free = (continuation(complete, events=200, top_k=1, guard=guard) for guard in (False, True))
    assert len(np.unique(free["pitch"])) > len(np.unique(loop["pitch"]))


def test_a_hint_where_the_likeliest_repeats_itself(complete, capsys):
    complete(events=200, top_k=1)
    assert "note: the likeliest events repeat themselves here; chance would help, or --guard" in capsys.readouterr().out


def test_novel_refuses_long_runs_out_of_the_training_songs(complete, model_folder, capsys, monkeypatch):
    """The model 'was trained' on what it says where nothing is refused."""
    from serenity.model import generation
    from serenity.tokens import novelty

    made, make = [], generation.complete
    monkeypatch.setattr(generation, "complete", lambda *args, **options: made.extend(make(*args, **options)) or made)
    complete(events=60, candidates=1, top_k=5)
    assert "novelty: not known" in capsys.readouterr().out
    monkeypatch.undo()
    _, vocabulary = checkpoint.read_settings(model_folder)
    chords = vocabulary.pitch.decode(made[0].tokens[:, 0])
    novelty.write(checkpoint.novelty_path(model_folder), novelty.build([chords]))
    complete(events=60, candidates=1, top_k=5)
    assert re.search(r" (\d\d) events, .* novelty: \1 events in a row as in a training song", capsys.readouterr().out)
    complete(events=60, candidates=1, top_k=5, novel=7)
    assert "novelty: no run as in a training song" in capsys.readouterr().out


@pytest.mark.parametrize("changes", [{}, {"events": None, "bars": 4, "after": "humanise"}])
def test_a_melody_alone_is_one_note_at_a_time_near_the_seeds_melody(changes, complete, replay, tmp_path):
    seed, song = complete(**{"voices": "melody", "events": 60, "top_k": 50, "seed": 3} | changes)
    notes, heard = song.tracks[1].notes, seed.tracks[0].notes
    sung = heard["pitch"][voices(heard) == MELODY]
    assert len(notes) > 10 and (np.diff(notes["onset"]) > 0).all()
    assert (notes["onset"][:-1] + notes["duration"][:-1] <= notes["onset"][1:] + 0.003).all()
    assert sung.min() - 5 <= notes["pitch"].min() and notes["pitch"].max() <= sung.max() + 5
    assert replay(tmp_path / "out.mid") == (tmp_path / "out.mid").read_bytes()


def test_novel_wants_an_index(complete):
    with pytest.raises(InputError, match="novel 9: .* has no index of its training songs"):
        complete(novel=9)


def test_a_category_takes_its_tracks_and_keeps_its_range(complete, tmp_path):
    low, high = compose_notes(1, bars=8), compose_notes(2, bars=8)
    path = tmp_path / "duo.mid"
    midi_file.write(path, [Track("Piano", 0, False, low), Track("Violin", 40, False, high[high["pitch"] > 60])])
    _, song = complete(path, category="violin", top_k=0, events=80)
    assert [track.name for track in song.tracks] == ["Piano", "Violin", "continuation"]
    assert song.tracks[2].program == 40
    assert song.tracks[2].notes["pitch"].min() >= 55
    _, song = complete(path, category="piano", top_k=0, events=80)
    assert song.tracks[2].program == 0 and song.tracks[2].notes["pitch"].min() < 55


# --- how the song is written ------------------------------------------------------------------------------------------

def strikes_of(tracks):
    """Return which pitch begins when; one key struck by two tracks at once is one strike."""
    notes = merge_tables(track.notes for track in tracks)
    return set(zip(np.round(notes["onset"], 2).tolist(), notes["pitch"].tolist()))


@pytest.mark.parametrize("layout, names", [
    ("separate", ["Piano", "Piano 2", "continuation"]), ("two", ["seed", "continuation"]), ("joined", ["seed"]),
    ("alone", ["continuation"]),
])
def test_the_layout(layout, names, complete, tmp_path):
    path = tmp_path / "two.mid"
    notes = compose_notes(1, bars=8)
    midi_file.write(path, [Track("Piano", 0, False, notes[::2]), Track("Piano 2", 0, False, notes[1::2])])
    _, usual = complete(path)
    _, song = complete(path, layout=layout)
    assert [track.name for track in song.tracks] == names
    assert strikes_of(song.tracks) == strikes_of(usual.tracks[-1:] if layout == "alone" else usual.tracks)


def test_velocities_match_those_of_the_prompt(complete, tmp_path):
    soft = compose_notes(1, bars=8)
    soft["velocity"] = np.random.default_rng(0).integers(20, 31, len(soft))
    path = write_seed(tmp_path / "soft.mid", soft)
    assert continuation(complete, song=path, top_k=20, match_velocity=False)["velocity"].max() > 31
    matched = continuation(complete, song=path, top_k=20)
    assert matched["velocity"].min() >= 20 and matched["velocity"].max() <= 30


@pytest.mark.parametrize("after", expression.APPLY)
def test_each_edit_changes_the_continuation_alone(after, complete, free):
    """Of a seed that is played freely; what goes on upon the grid has nothing to quantise."""
    _, plain = complete(free, top_k=20, events=96)
    _, edited = complete(free, top_k=20, events=96, after=after)
    assert np.array_equal(plain.tracks[0].notes, edited.tracks[0].notes)
    assert any(not np.array_equal(getattr(plain.tracks[1], part), getattr(edited.tracks[1], part))
               for part in ("notes", "pedals", "controls"))


def test_the_amount_of_an_edit(complete):
    notes = [continuation(complete, top_k=20, after=after)["velocity"] for after in ("swell=0", "swell", "swell=40")]
    assert np.ptp(notes[0]) <= np.ptp(notes[1]) < np.ptp(notes[2])


def test_help_names_every_edit_and_amounts_are_fields(capsys):
    with pytest.raises(SystemExit):
        command_line.show_help(generate.Parameters, ["--help"])
    described = re.search(r"--after(.*)--write-beats", capsys.readouterr().out, re.DOTALL)[1]
    assert all(name in described for name in expression.APPLY)
    assert set(expression.AMOUNT) <= set(expression.APPLY)
    assert set(expression.AMOUNT.values()) <= {field.name for field in fields(expression.ExpressionSettings)}


# --- variations, picture, sound, page ---------------------------------------------------------------------------------

def test_variations_are_numbered_differ_and_stand_on_a_page(complete, tmp_path, capsys):
    complete(variations=3, top_k=20, events=30)
    assert len({(tmp_path / f"out-{number}.mid").read_bytes() for number in (1, 2, 3)}) == 3
    order = re.search(r"the most promising first: (.*)", capsys.readouterr().out).group(1).split(", ")
    assert sorted(order) == ["out-1", "out-2", "out-3"]
    page = (tmp_path / "out.html").read_text()
    assert all(text in page for text in (*order, "density", "your intro", "form", "likelihood", "novelty"))


def test_the_nearest_take_is_the_first_and_one_that_collapses_the_last(complete, model_folder, tmp_path):
    from serenity import completion

    model = completion.load(model_folder)
    seed = completion.read_seed(write_seed(tmp_path / "seed.mid"), model)
    takes = [replace(take, collapse=None) for take in
             completion.complete(model, seed, Request(events=60, variations=3, top_k=5))]
    assert [take.merit for take in completion.rank(takes)] == sorted(take.merit for take in takes)[::-1]
    fallen = replace(completion.rank(takes)[0], collapse=Collapse(20.0, "thin"))
    ranked = completion.rank([fallen, *takes])
    assert ranked[-1] is fallen
    said = {remark.about: remark.words for remark in completion.measures(seed, fallen)}
    assert said["collapse"].startswith("thins out from bar ")


def test_a_variation_does_not_depend_on_how_many_there_are(complete, tmp_path):
    complete(variations=2, top_k=20, page=False, candidates=1)
    complete(name="one.mid", top_k=20, candidates=1)
    pitches = [midi_file.read(tmp_path / name).tracks[1].notes["pitch"] for name in ("out-1.mid", "one.mid")]
    np.testing.assert_array_equal(*pitches)
    assert not (tmp_path / "out.html").exists()


def test_of_several_candidates_the_best_is_the_song(complete, model_folder, tmp_path, capsys):
    complete(variations=4, events=40, page=False)
    complete(name="best.mid", events=40, candidates=4)
    from serenity import completion

    said = capsys.readouterr().out
    assert said.count("the best of 4") == 1
    model = completion.load(model_folder)
    seed = completion.read_seed(tmp_path / "seed.mid", model)
    first = completion.rank(completion.complete(model, seed, Request(events=40, variations=4)))[0]
    assert (tmp_path / "best.mid").read_bytes() == (tmp_path / f"out-{first.number}.mid").read_bytes()
    complete(name="again.mid", events=None, replay=tmp_path / "best.mid")
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "best.mid").read_bytes()
    with pytest.raises(InputError, match="--candidates 0, wanted 1"):
        complete(name="none.mid", candidates=0)


def test_a_picture_stands_beside_the_song(complete, tmp_path):
    complete(picture=True)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_sound_stands_beside_the_song_or_a_line_says_why_not(complete, tmp_path, capsys, monkeypatch):
    from serenity.listen import audio

    complete(sound=True, events=5)
    is_possible = audio.missing(audio.find_soundfont()) is None
    assert bool([*tmp_path.glob("out.mp3"), *tmp_path.glob("out.wav")]) == is_possible
    monkeypatch.setattr(audio, "find_soundfont", lambda own: None)
    complete(sound=True, name="mute.mid", events=5)
    assert "no sound: " in capsys.readouterr().out


def test_timings_name_every_phase(complete, capsys):
    complete(timings=True, picture=True, events=100)
    phases = "import|read|load|prefill|events|write|picture"
    said = dict(re.findall(rf"({phases}) (\d+)", capsys.readouterr().out.splitlines()[-1]))
    assert len(said) == 7 and int(said["events"]) > int(said["prefill"])  # 99 events against one and a short prompt


# --- the recipe -------------------------------------------------------------------------------------------------------

FLAGS = {"events": 25, "top_k": {"pitch": 20, "step": 4}, "temperature": 1.2, "guard": True,
         "prompt_seconds": (2.0, 14.0), "layout": "joined", "match_velocity": False, "after": "thin,humanise=0.01",
         "seed": 5, "category": "piano"}


@pytest.fixture
def replay(tmp_path, model_folder):
    def run(path, out="again.mid", **changes):
        settings = {"model": model_folder, "picture": False} | changes
        generate.main(asking(replay=path, out=tmp_path / out, **settings))
        return (tmp_path / out).read_bytes()
    return run


def test_a_replay_gives_the_same_bytes(complete, replay, tmp_path, capsys):
    complete(**FLAGS)
    assert replay(tmp_path / "out.mid") == (tmp_path / "out.mid").read_bytes()
    assert f"the same bytes as {tmp_path / 'out.mid'}" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [
    {"bpm": 103.0, "write_beats": True}, {"metre": "3/4", "first_beat": 1.3, "events": None, "bars": 2},
    {"level": "half", "events": None, "seconds": 4.0}, {"level": "double", "write_beats": True, "prompt_last": 30},
])
def test_a_song_by_stated_beats_is_replayed(flags, complete, replay, free, tmp_path):
    complete(free, **{"top_k": 20, "events": 30} | flags)
    assert replay(tmp_path / "out.mid") == (tmp_path / "out.mid").read_bytes()


def test_one_variation_of_several_is_replayed_alone(complete, replay, tmp_path):
    complete(variations=3, page=False, **FLAGS)
    assert replay(tmp_path / "out-2.mid") == (tmp_path / "out-2.mid").read_bytes()


def test_a_seed_that_moved_is_found_beside_the_song_or_where_one_says(complete, replay, tmp_path):
    complete(**FLAGS)
    song = (tmp_path / "out.mid").read_bytes()
    for folder in ("new", "other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "new" / "out.mid").write_bytes(song)
    (tmp_path / "seed.mid").rename(tmp_path / "new" / "seed.mid")
    assert replay(tmp_path / "new" / "out.mid") == song
    (tmp_path / "new" / "seed.mid").rename(tmp_path / "other" / "renamed.mid")
    with pytest.raises(InputError, match="its seed .*seed.mid is not there, or is not as it was"):
        replay(tmp_path / "new" / "out.mid")
    assert replay(tmp_path / "new" / "out.mid", song=tmp_path / "other" / "renamed.mid") == song


def test_another_seed_or_model_or_version_is_told(complete, replay, tmp_path, model_folder, capsys, monkeypatch):
    complete(**FLAGS)
    from serenity.model import recipe

    monkeypatch.setattr(recipe, "versions", lambda: {"numpy": "1.0"})
    replay(tmp_path / "out.mid")
    assert re.search(r"note: .*out.mid was made with .*numpy .*\(here 1.0\)", capsys.readouterr().out)
    config = model_folder / "config.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(InputError, match=r"was made by another model, model [0-9a-f]{12}; .* is [0-9a-f]{12}"):
        replay(tmp_path / "out.mid")
    write_seed(tmp_path / "seed.mid", composed(number=2))
    with pytest.raises(InputError, match="is not as it was"):
        replay(tmp_path / "out.mid")


def test_a_song_of_before_all_lengths_ended_with_a_bar_is_told(complete, replay, tmp_path, capsys):
    complete()
    edit_recipe(tmp_path / "out.mid", lambda fields: fields["versions"].update(serenity="0.1.0"))
    replay(tmp_path / "out.mid")
    assert re.search(r"out.mid was made with serenity 0\.1\.0 \(here (?!0\.1\.0)", capsys.readouterr().out)


def test_a_name_for_the_song_is_not_taken_for_a_seed(complete, replay, tmp_path):
    complete()
    with pytest.raises(InputError, match="again.mid: no such file; wanted the seed, and after it the song to write"):
        replay(tmp_path / "out.mid", song=tmp_path / "again.mid")
    with pytest.raises(InputError, match=r"generate.py \S+out.mid OUT.mid --replay .*holds its own seed"):
        replay(tmp_path / "out.mid", song=tmp_path / "again.mid")


def test_an_earlier_song_that_is_replaced_is_named(complete, tmp_path, capsys):
    complete()
    assert "replaced" not in capsys.readouterr().out
    complete(seed=1)
    assert "out.mid was there, made by Serenity and not changed since; replaced" in capsys.readouterr().out


def test_without_a_length_a_song_has_so_many_bars(complete, tmp_path, capsys):
    complete(events=None)
    assert re.search(r"out.mid: 32 bars, ", capsys.readouterr().out)


def test_a_file_that_is_no_part_of_a_replay_is_told(complete, replay, tmp_path):
    complete()
    song = (tmp_path / "out.mid").read_bytes()
    other = write_seed(tmp_path / "other.mid", composed(number=2))
    with pytest.raises(InputError, match="out.mid holds its own seed, and .*other.mid is another file; wanted "):
        replay(tmp_path / "out.mid", song=other)
    assert replay(tmp_path / "out.mid", song=tmp_path / "out.mid") == song  # so the new song can be named
    assert replay(tmp_path / "out.mid", song=tmp_path / "seed.mid") == song


def test_the_replay_of_a_part_says_what_it_read(complete, replay, tmp_path, capsys):
    complete(prompt_last=20)
    capsys.readouterr()
    replay(tmp_path / "out.mid")
    said = capsys.readouterr().out
    assert re.search(r"; the part of the seed that was the prompt: \d+ events, \d+\.\d s", said)
    assert "the tracks that the recipe names (Piano)" in said


def test_what_the_recipe_says_cannot_be_said_again(complete, replay, tmp_path):
    complete()
    for flag, given in (("top-k", {"top_k": 5}), ("candidates", {"candidates": 1}), ("bpm", {"bpm": 90.0}),
                        ("no-match-velocity", {"match_velocity": False})):
        with pytest.raises(InputError, match=f"--{flag} with --replay: the recipe says how"):
            replay(tmp_path / "out.mid", **given)
    with pytest.raises(InputError, match="seed.mid: holds no recipe"):
        replay(tmp_path / "seed.mid")


@pytest.mark.parametrize("flag, value", [
    ("events", 10**9), ("events", True), ("events", "25"), ("seconds", 1e999), ("seed", -1), ("top_k", {"pitch": "5"}),
    ("top_k", {"rhythm": 3}), ("temperature", -1), ("layout", "elsewhere"), ("layout", ["joined"]), ("after", "rm"),
    ("prompt_seconds", [1.0]), ("prompt_seconds", [5.0, 1.0]), ("out", "elsewhere.mid"), ("model", "elsewhere"),
    ("__class__", 1), ("novel", 1), ("category", "drums"), ("bpm", 1e999), ("bpm", "fast"), ("metre", "3/5"),
    ("metre", "9" * 5000 + "/4"), ("metre", 3), ("first_beat", -1e6), ("level", "third"), ("write_beats", "yes"),
])
def test_a_strangers_recipe_is_checked_field_by_field(flag, value, complete, replay, tmp_path):
    complete(**FLAGS)
    edit_recipe(tmp_path / "out.mid", lambda fields: fields["flags"].update({flag: value}))
    with pytest.raises(InputError) as caught:
        replay(tmp_path / "out.mid")
    assert "\n" not in str(caught.value) and not (tmp_path / "again.mid").exists()


def edit_recipe(path, edit):
    score = midi_file.read(path)
    fields = json.loads(score.texts[0])
    edit(fields)
    midi_file.write(path, score.tracks, score.tempo_map, [json.dumps(fields)])


def test_texts_of_the_seed_stay_and_its_old_recipe_goes_where_all_is_written_anew(complete, tmp_path):
    _, first = complete(layout="two")
    _, second = complete(tmp_path / "out.mid", "next.mid", layout="two")
    assert len(first.texts) == len(second.texts) == 1
    assert json.loads(second.texts[0])["seed"].endswith("out.mid")


# --- broken seeds -----------------------------------------------------------------------------------------------------

HEAD = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0"
TRACK = b"MTrk\x00\x00\x00\x0c\x00\x90\x3c\x40\x60\x80\x3c\x00\x00\xff\x2f\x00"  # c4 for 96 ticks

BROKEN_SEEDS = {
    "empty": (b"", "is empty"),
    "text": (b"dear diary, today I wrote a song", "is not a song: begins with 'dear diary, '; wanted a MIDI file"),
    "html": (b"<!doctype html><title>404</title>", "is not a song"),
    "mp3": (b"ID3\x04" + bytes(200), "is not a song: begins with 49 44 33 04"),
    "zip": (b"PK\x03\x04" + bytes(200), "is not a song"),
    "header alone": (HEAD, "no note|track"),
    "header cut off": (HEAD[:9], "cut off"),
    "track cut off": (HEAD + TRACK[:-8], "cut off"),
    "no track": (HEAD[:10] + b"\x00\x00" + HEAD[12:], "no note|track"),
    "no note": (HEAD + b"MTrk\x00\x00\x00\x04\x00\xff\x2f\x00", "no note"),
    "division of 0": (HEAD[:12] + b"\x00\x00" + TRACK, "0 ticks"),
    "only drums": (HEAD + TRACK.replace(b"\x90", b"\x99").replace(b"\x80", b"\x89"), "drums"),
    "giant delta times": (HEAD + b"MTrk\x00\x00\x00\x12" + b"\xff\xff\xff\x7f\x90\x3c\x40"
                          + b"\xff\xff\xff\x7f\x80\x3c\x00" + b"\x00\xff\x2f\x00", "wanted"),
}


@pytest.mark.parametrize("data, message", BROKEN_SEEDS.values(), ids=BROKEN_SEEDS)
def test_a_broken_seed_gives_one_line(data, message, complete, tmp_path):
    seed = tmp_path / "broken.mid"
    seed.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        complete(seed)
    assert "\n" not in str(caught.value)
    assert "broken.mid" in str(caught.value)
    assert not (tmp_path / "out.mid").exists()


@pytest.mark.parametrize("changes, message", [
    ({"events": 0}, "events 0, wanted 1 to 100,000"),
    ({"events": 10**9}, "events 1000000000, wanted"),
    ({"prompt_events": 0}, "prompt_events 0, wanted"),
    ({"temperature": -0.5}, "temperature -0.5, wanted 0 to 100"),
    ({"seconds": 0.0}, "seconds 0.0, wanted 0.1 to 3,600"),
    ({"seconds": float("nan")}, "seconds nan, wanted"),
    ({"bars": 20_000}, "bars 20000, wanted 1 to 10,000"),
    ({"events": 5, "bars": 2}, "events and bars: wanted one of them"),
    ({"prompt_last": 5, "prompt_events": 2}, "prompt_events and prompt_last: wanted one of them"),
    ({"prompt_seconds": (5.0, 2.0)}, "prompt_seconds 5.0 2.0, wanted two times, the earlier first"),
    ({"metre": "waltz"}, "metre 'waltz', wanted a time signature such as 3/4 or 6/8"),
    ({"metre": "3"}, "metre '3', wanted a time signature"),
    ({"metre": "3/4/4"}, "metre '3/4/4', wanted a time signature"),
    ({"metre": "0/4"}, "metre 0/4; wanted one such as 4/4, 3/4, 6/8 or 12/8"),
    ({"metre": "3/5"}, "metre 3/5; wanted one such as"),
    ({"bpm": 5.0}, "bpm 5; wanted 10 to 600"),
    ({"bpm": float("nan")}, "bpm nan; wanted 10 to 600"),
    ({"first_beat": float("inf")}, "first_beat inf; wanted a time in the song"),
    ({"bars": 0}, "bars 0, wanted 1 to 10,000"),
    ({"events": None, "seconds": 3601.0}, "seconds 3601.0, wanted 0.1 to 3,600"),
    ({"events": None, "bars": 10_000}, "bars 10000 more are 2.* minutes of music; wanted 60 at most"),
    ({"top_k": -1}, "top_k -1, wanted 0"),
    ({"top_k": {"chord": 3}}, "top_k 'chord', wanted pitch, step, duration, velocity"),
    ({"top_p": 0.0}, "top_p 0.0, wanted above 0"),
    ({"min_p": 2.0}, "min_p 2.0, wanted 0 to 1"),
    ({"after": "glitter"}, "after 'glitter'; wanted names of thin"),
    ({"after": "thin=3"}, "after 'thin' with an amount"),
    ({"after": "swell=loud"}, "after swell='loud', wanted a number"),
    ({"events": 100_000, "variations": 11, "top_k": 3}, "wanted 1,000,000 events at most in all"),
    ({"seed": -1}, "seed -1, wanted 0 to"),
    ({"variations": 2, "top_k": 1}, "variations 2 without chance are all the same song; wanted neither top_k 1"),
    ({"variations": 2, "temperature": 0.0}, "variations 2 without chance are all the same song"),
    ({"soundfont": Path("no-such.sf2")}, "no-such.sf2: no such file"),
    ({"out": Path("song.wav")}, "song.wav: wanted a name that ends in .mid"),
    ({"out": Path("no/such/folder/song.mid")}, "no/such/folder is not a folder"),
    ({"song": Path("no-such.mid")}, "no-such.mid: no such file"),
    ({"song": Path()}, "is a folder"),
])
def test_arguments_that_cannot_work_give_one_line(changes, message, tmp_path, model_folder):
    arguments = {"song": write_seed(tmp_path / "seed.mid"), "out": tmp_path / "out.mid", "model": model_folder}
    with pytest.raises(InputError, match=message):
        generate.main(asking(**(arguments | changes)))


@pytest.mark.parametrize("name, there, out", [
    ("book.abc#2", "book.abc", "book#2-serenity.mid"), ("song.mid.gz", "song.mid.gz", "song-serenity.mid"),
    ("song#1.mid", "song#1.mid", "song#1-serenity.mid"),
])
def test_a_tune_of_a_book_and_a_packed_song_may_be_named(name, there, out, tmp_path):
    (tmp_path / there).touch()
    generate.check(asking(song=tmp_path / name))
    assert outputs.named(tmp_path / name, None, "serenity") == Path.cwd() / out


def test_a_song_is_named_with_its_folder_where_that_is_not_the_seeds(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    assert outputs.named(Path("seed.mid"), None, "again").parent == Path()
    monkeypatch.chdir(tmp_path / "inner")
    assert outputs.named(Path("..") / "seed.mid", None, "again").parent == tmp_path / "inner"


def test_the_seed_is_never_overwritten(tmp_path, model_folder):
    seed = write_seed(tmp_path / "seed.mid")
    before = seed.read_bytes()
    with pytest.raises(InputError, match="is an input as well; wanted another name"):
        generate.main(asking(song=seed, out=seed, model=model_folder))
    assert seed.read_bytes() == before


def test_from_the_shell_without_tensorflow(tmp_path, model_folder):
    """The whole command: exit code 0, the file is there, and TensorFlow never came into memory."""
    seed, out = write_seed(tmp_path / "seed.mid"), tmp_path / "out.mid"
    probe = ("import sys, runpy; sys.argv = sys.argv[1:]\n"
             "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
             "finally: print('heavy:', sorted({'tensorflow', 'keras', 'jax', 'music21'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", probe, str(SCRIPT), str(seed), str(out), "--model", str(model_folder),
                           "--events", "20"], capture_output=True, text=True, cwd=SCRIPT.parent,
                          env={"PYTHONPATH": str(SCRIPT.parent), "PATH": ""})
    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stdout
    assert out.exists() and out.with_suffix(".png").exists()


def test_from_the_shell_a_terminal_shows_progress_from_the_start(tmp_path, model_folder):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    os.set_blocking(ours, False)  # where nothing was shown there is an error, not a wait
    command = [sys.executable, str(SCRIPT), str(write_seed(tmp_path / "seed.mid")), "--model", str(model_folder),
               "--events", "20", "--variations", "2", "--candidates", "2"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path)
    shown = os.read(ours, 65536)
    for end in (ours, theirs):
        os.close(end)
    assert done.returncode == 0
    assert b" 0/40 [" in shown and b"page: " in shown


@pytest.mark.parametrize("flags", [("--metre", "3/5"), ("--metre", "three"), ("--bpm", "1"), ("--level", "third")])
def test_from_the_shell_wrong_beats_end_with_code_2_before_anything_is_read(flags, tmp_path):
    seed = write_seed(tmp_path / "seed.mid")
    done = subprocess.run([sys.executable, str(SCRIPT), str(seed), *flags, "--model", "missing"], capture_output=True,
                          text=True, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "missing" not in done.stderr
    assert flags[0] == "--level" or (done.stderr.count("\n"), done.stdout) == (1, "")  # tyro draws a box
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seed.mid"]


def test_from_the_shell_a_model_of_the_time_in_seconds_ends_with_code_2(tmp_path, model_folder):
    config = model_folder / "config.json"
    config.write_text(config.read_text().replace("serenity-model 2", "serenity-model 1"))
    done = subprocess.run([sys.executable, str(SCRIPT), str(write_seed(tmp_path / "seed.mid")), "--model",
                           str(model_folder)], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("generate.py: ") and done.stderr.count("\n") == 1
    assert "made by an older Serenity, which counted seconds" in done.stderr and "train.py" in done.stderr


def test_from_the_shell_a_broken_seed_ends_with_code_2(tmp_path, model_folder):
    seed = tmp_path / "broken.mid"
    seed.write_bytes(b"no MIDI")
    done = subprocess.run([sys.executable, str(SCRIPT), str(seed), "--model", str(model_folder)], capture_output=True,
                          text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and "is not a song" in done.stderr and "Traceback" not in done.stderr


def test_no_stub_stands_before_the_last_bar_line():
    """What begins a 24th of a quarter before it belongs to the next bar."""
    notes = note_table([0, 1.5, 1.75, 1.98], [1, 0.5, 0.25, 1], [60, 62, 64, 65], [80] * 4)
    kept = completion._without_stubs(Track("", 0, False, notes), 2.0, TempoMap())
    assert kept.notes["pitch"].tolist() == [60, 62, 64]
