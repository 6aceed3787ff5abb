"""Going on from a song: its seed and its first bars stay, the rest is made anew, again and again."""

import json
from dataclasses import replace

import numpy as np
import pytest

import generate
from serenity import completion
from serenity.completion import Request, SeedSettings
from serenity.errors import InputError
from serenity.model import recipe as recipes
from serenity.music import chunks, midi_file
from serenity.music.note import end_time
from serenity.music.tempo_map import TempoMap
from tests.scripts import asking
from tests.test_generate import WANDERING, composed, write_seed

PLAYED = replace(WANDERING, start=0.0)


@pytest.fixture
def make(model_folder, tmp_path):
    """Return a function that runs generate.py in a folder and gives back the song's path."""
    def run(song, out, **changes):
        settings = {"picture": False, "top_k": 20, "candidates": 1} | changes
        generate.main(asking(song=tmp_path / song, out=tmp_path / out, model=model_folder, **settings))
        return tmp_path / out
    return run


@pytest.fixture
def replayed(model_folder, tmp_path):
    def run(path):
        generate.main(asking(replay=path, out=tmp_path / "again.mid", model=model_folder, picture=False))
        return (tmp_path / "again.mid").read_bytes()
    return run


def messages_before(path, second):
    """Return what the last track of a song plays before a second, as it stands in the file."""
    file, score = chunks.split(path.read_bytes()), midi_file.read(path)
    end = score.tempo_map.ticks(second)
    return [(message.tick, message.status, message.content) for message in chunks.messages(file.tracks[-1])
            if message.tick < end and message.status != chunks.META and not message.is_release]


def join_of(path):
    return recipes.read(chunks.split(path.read_bytes())).join


def test_again_and_again_the_first_bars_stay_as_they_are_in_one_track(make, replayed, tmp_path):
    seed = chunks.split(write_seed(tmp_path / "seed.mid").read_bytes())
    songs = [make("seed.mid", "1.mid", bars=6)]
    for step, bars in enumerate((3, 5, 7), 2):
        songs.append(make(f"{step - 1}.mid", f"{step}.mid", keep_bars=bars, bars=4, seed=step))
    for before, song in zip(songs, songs[1:]):
        file = chunks.split(song.read_bytes())
        assert file.tracks[:-1] == seed.tracks
        kept = messages_before(song, join_of(song))
        assert len(kept) > 20 and kept == messages_before(before, join_of(song))
    made = recipes.steps(chunks.split(songs[-1].read_bytes()))
    assert [json.loads(text)["flags"]["keep_bars"] for text in made] == [7, 5, 3, None]
    assert {json.loads(text)["seed"] for text in made} == {str(tmp_path / "seed.mid")}
    (tmp_path / "seed.mid").unlink()
    for song in songs:
        assert replayed(song) == song.read_bytes()


def test_what_is_new_begins_with_a_bar_and_ends_after_so_many(make, tmp_path):
    write_seed(tmp_path / "seed.mid", composed(TempoMap()), TempoMap())  # 8 bars of 2 s
    make("seed.mid", "1.mid", bars=6)
    song = make("1.mid", "2.mid", keep_bars=4, bars=2, seed=3)
    notes, first = midi_file.read(song).tracks[-1].notes, midi_file.read(tmp_path / "1.mid").tracks[-1].notes
    assert join_of(song) == 24 and 24 in notes["onset"] and 26 < end_time(notes) <= 28
    is_kept = notes["onset"] < 24
    np.testing.assert_array_equal(notes[is_kept][["onset", "pitch", "velocity"]],
                                  first[first["onset"] < 24][["onset", "pitch", "velocity"]])
    assert make("1.mid", "3.mid", keep_bars=4, seconds=1.5).exists()
    assert 24 < end_time(midi_file.read(tmp_path / "3.mid").tracks[-1].notes) <= 26 + 1e-3


@pytest.mark.parametrize("flags", [
    {"after": "pedal,curve"}, {"write_beats": True}, {"layout": "two"}, {"layout": "alone"}, {"prompt_last": 30},
    {"prompt_seconds": (2.0, 9.0), "write_beats": True}, {"bpm": 103.0, "category": "violin"}, {"after": "humanise"},
])
def test_a_played_seed_is_gone_on_with_and_replayed_however_the_song_was_made(flags, make, replayed, tmp_path):
    write_seed(tmp_path / "seed.mid", composed(PLAYED), TempoMap())
    first = make("seed.mid", "1.mid", bars=5, **flags)
    output = {name: value for name, value in flags.items() if name in ("after", "write_beats", "layout")}
    for step in (2, 3):
        song = make(f"{step - 1}.mid", f"{step}.mid", keep_bars=step, bars=3, seed=step, **output)
        first, before = song, first
        assert messages_before(song, join_of(song)) == messages_before(before, join_of(song))
        assert replayed(song) == song.read_bytes()


def test_to_keep_no_bar_keeps_the_seed_alone(make, replayed, tmp_path):
    write_seed(tmp_path / "seed.mid")
    songs = [make("seed.mid", "1.mid", bars=4, seed=1), make("seed.mid", "2.mid", bars=2, seed=7),
             make("1.mid", "3.mid", keep_bars=0, bars=2, seed=7)]
    notes = [midi_file.read(song).tracks[-1].notes for song in songs]
    np.testing.assert_array_equal(notes[1], notes[2])
    assert replayed(songs[2]) == songs[2].read_bytes()


def test_a_curve_that_is_kept_does_not_leave_what_follows_soft(make, tmp_path):
    write_seed(tmp_path / "seed.mid")
    make("seed.mid", "1.mid", bars=4, after="curve")
    song = make("1.mid", "2.mid", keep_bars=2, bars=2)
    moves = midi_file.read(song).tracks[-1].controls
    later = moves[(moves["number"] == midi_file.EXPRESSION) & (moves["time"] >= join_of(song) - 1e-3)]
    assert len(moves) > 10 and later["value"].tolist() == [127]


def test_a_take_is_gone_on_with_as_its_file_is(make, model_folder, tmp_path):
    model = completion.load(model_folder)
    seed = completion.read_seed(write_seed(tmp_path / "seed.mid"), model)
    take, = completion.complete(model, seed, Request(bars=4, top_k=20))
    completion.write(tmp_path / "1.mid", seed, take)
    kept = completion.keep(model, seed, take, 2)
    from_file = completion.read_seed(tmp_path / "1.mid", model, SeedSettings(keep_bars=2))
    songs = [completion.song_bytes(each, *completion.complete(model, each, Request(bars=2, seed=5)))
             for each in (kept, from_file)]
    assert songs[0] == songs[1] != (tmp_path / "1.mid").read_bytes()
    next_take, = completion.complete(model, kept, Request(bars=2, seed=5))
    assert next_take.notes["onset"].min() >= kept.join > seed.join and len(next_take.notes) < len(next_take.track.notes)


@pytest.mark.parametrize("changes, message", [
    ({"song": "seed.mid"}, "seed.mid: holds no recipe; wanted a song that generate.py made"),
    ({"keep_bars": 5}, "1.mid: keep_bars 5: 4 bars stand behind those of its seed; wanted 0 to 4"),
    ({"keep_bars": -1}, "keep_bars -1, wanted 0 to 10,000"),
    ({"bpm": 90.0}, "bpm with keep_bars: the song says how its seed is read"),
    ({"prompt_last": 9}, "prompt_last with keep_bars"),
    ({"layout": "joined"}, "layout joined with keep_bars"), ({"write_beats": True}, "write_beats True with keep_bars"),
    ({"song": "joined.mid"}, "joined.mid: holds seed and continuation in one track"),
    ({"song": "alone.mid"}, "alone.mid: its seed .*gone.mid is not there, or is not as it was"),
    ({"song": "text.mid"}, "text.mid: is not a MIDI file"),
])
def test_what_cannot_be_gone_on_with_gives_one_line(changes, message, make, tmp_path):
    write_seed(tmp_path / "seed.mid")
    write_seed(tmp_path / "gone.mid")
    make("seed.mid", "1.mid", bars=4)
    make("seed.mid", "joined.mid", bars=1, layout="joined")
    make("gone.mid", "alone.mid", bars=1, layout="alone")
    (tmp_path / "gone.mid").unlink()
    (tmp_path / "text.mid").write_text("no MIDI")
    settings = {"song": "1.mid", "keep_bars": 1} | changes
    with pytest.raises(InputError, match=message) as caught:
        make(settings.pop("song"), "2.mid", **settings)
    assert "\n" not in str(caught.value) and not (tmp_path / "2.mid").exists()


@pytest.mark.parametrize("flags, join, message", [
    ({"keep_bars": 2}, None, "recipe: keep_bars without join"), ({"keep_bars": 10001}, 17.0, "keep_bars 10001, wanted"),
    ({"keep_bars": 1}, -1.0, "join -1"), ({"keep_bars": 1}, 1e999, "Infinity is not a number"),
    ({"keep_bars": "2"}, 1.0, "keep_bars"), ({"keep_bars": 1}, "1", "join '1'"),
])
def test_a_strangers_song_is_checked(flags, join, message, make, replayed, tmp_path):
    write_seed(tmp_path / "seed.mid", composed(TempoMap()), TempoMap())
    song = make("seed.mid", "1.mid", bars=2)
    file = chunks.split(song.read_bytes())
    text, = recipes.steps(file)
    said = json.loads(text) | {"join": join}
    said["flags"] |= flags
    parts = [track.replace(chunks.meta(chunks.TEXT, text.encode()), chunks.meta(chunks.TEXT, json.dumps(said).encode()))
             for track in file.tracks]
    song.write_bytes(chunks.join(replace(file, tracks=tuple(parts))))
    with pytest.raises(InputError, match=message):
        replayed(song)


def test_a_song_of_before_there_was_a_join_can_be_gone_on_with(make, tmp_path):
    write_seed(tmp_path / "seed.mid")
    song = make("seed.mid", "1.mid", bars=4)
    text, = recipes.steps(chunks.split(song.read_bytes()))
    old = json.loads(text)
    del old["join"]
    assert recipes.from_text(json.dumps(old)).join is None
    with pytest.raises(InputError, match="field 'join'|field 'more'"):
        recipes.from_text(json.dumps(old | {"more": 1}))




def test_a_score_stands_beside_the_song(make, tmp_path):
    """In the file's own metre, the continuation in the seed's part."""
    write_seed(tmp_path / "seed.mid")
    make("seed.mid", "1.mid", bars=2, score=True)
    text = (tmp_path / "1.musicxml").read_text()
    assert text.count("<part ") == 1 and "continuation" in text and "<beats>3</beats>" in text
    assert "Music21" not in text
