import numpy as np
import pytest

from serenity.errors import InputError
from serenity.music import codec, midi_file
from serenity.music.codec import bar_places
from serenity.music.midi_file import Track
from serenity.music.note import note_table
from serenity.music.song import of_score
from serenity.settings import CodecSettings
from serenity.tokens.own_songs import group, read_folder, read_song
from serenity.tokens.vocabulary import PLACE, count_values
from tests.songs import abc_songs, compose_notes

VOCABULARY = count_values(song.events for _, song in abc_songs(5, bars=6))


def write(path, notes, is_drum=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    midi_file.write(path, [Track("", 0, is_drum, notes)])
    return path


@pytest.fixture
def folder(tmp_path):
    """Four songs, one of them in another key too, a file with drums alone and one that is cut off."""
    for number in range(4):
        write(tmp_path / "songs" / "deep" / f"{number}.mid", compose_notes(number, bars=6))
    write(tmp_path / "songs" / "0 in d.MID", compose_notes(0, bars=6, transposition=2))
    write(tmp_path / "songs" / "drums.mid", compose_notes(5, bars=2), is_drum=True)
    (tmp_path / "songs" / "cut.mid").write_bytes((tmp_path / "songs" / "drums.mid").read_bytes()[:20])
    (tmp_path / "songs" / "notes.txt").write_text("no song")
    return tmp_path / "songs"


def test_every_song_that_can_be_read_is_there_in_the_vocabulary_s_tokens(folder):
    corpus, refused = read_folder(folder, VOCABULARY, CodecSettings())
    assert [song["name"] for song in corpus.songs] == ["0 in d.MID", *(f"deep/{number}.mid" for number in range(4))]
    assert sorted(line.split(": ")[0] for line in refused) == [str(folder / "cut.mid"), str(folder / "drums.mid")]
    assert corpus.vocabulary is VOCABULARY and corpus.codec == CodecSettings()
    song, row = of_score(midi_file.read(folder / "deep" / "3.mid")), corpus.songs[-1]
    events = codec.encode(song, CodecSettings()).events
    tokens, _ = VOCABULARY.encode(events)
    rows = corpus.tokens[row["start"]:]
    np.testing.assert_array_equal(rows[:, :PLACE], tokens)
    np.testing.assert_array_equal(rows[:, PLACE:], bar_places(events, song.tempo_map, 24))
    assert 0 < corpus.totals["exact"]["pitch"] < corpus.totals["events"] == len(corpus.tokens)


def test_the_same_song_in_another_key_is_never_on_the_other_side(folder):
    corpus, _ = read_folder(folder, VOCABULARY, CodecSettings())
    groups = {song["name"]: song["group"] for song in corpus.songs}
    assert groups["0 in d.MID"] == groups["deep/0.mid"] and len(set(groups.values())) == 4
    splits = [song["split"] for song in corpus.songs]
    assert splits[0] == splits[1]
    assert {*splits} == {"train", "validation"}  # none is laid by for a test


@pytest.mark.parametrize("count, validation", [(1, 0), (2, 1), (3, 1)])
def test_of_few_songs_all_but_one_are_learned_from(tmp_path, count, validation):
    for number in range(count):
        write(tmp_path / f"{number}.mid", compose_notes(number, bars=3))
    corpus, _ = read_folder(tmp_path, VOCABULARY, CodecSettings())
    assert [len(corpus.of_split(split)) for split in ("train", "validation", "test")] == \
        [count - validation, validation, 0]


def test_a_song_that_is_too_short_to_compare_is_read_all_the_same(tmp_path):
    path = write(tmp_path / "one note.mid", note_table([0.0], [1.0], [60], [80]))
    events, bars, marks = read_song(path, CodecSettings())
    assert len(events) == len(bars) == 1 and marks is None


def test_songs_are_grouped_through_others():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 2 ** 32, (2, 120), dtype=np.uint32)
    between = np.where(np.arange(120) < 60, one, other)  # half of each
    assert group({"a": one, "b": other, "c": between, "d": None, "e": rng.integers(0, 2 ** 32, 120, dtype=np.uint32)}
                 ) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e"}


@pytest.mark.parametrize("name, said", [("missing", "missing is not a folder; wanted one with .mid, .midi, .smf"),
                                        ("empty", "holds 0 songs, of which none can be read; wanted one or more"),
                                        ("broken", r"holds 1 songs, of which none can be read \(.*x.mid: ")])
def test_a_folder_without_songs_is_refused(tmp_path, name, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.mid").write_bytes(b"MThd")
    with pytest.raises(InputError, match=said):
        read_folder(tmp_path / name, VOCABULARY, CodecSettings())
