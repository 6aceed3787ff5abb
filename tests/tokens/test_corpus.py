import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serenity.errors import InputError
from serenity.music.codec import EVENT, bar_places
from serenity.music.tempo_map import TempoMap, metres
from serenity.settings import CodecSettings
from serenity.tokens import corpus as corpora
from serenity.tokens.corpus import FILES, SPLITS, in_memory, load, made_of, split_groups, translate
from serenity.tokens.vocabulary import ATTRIBUTES, COLUMNS, END, PLACE, SPECIALS, column_values, count_values
from tests.songs import abc_songs

SONGS = abc_songs(30, bars=6)


def grouped(songs, group):
    """Return the songs with the group that `group(name)` gives."""
    return [(name, replace(song, group=group(name))) for name, song in songs]


def places_of(song):
    return bar_places(song.events, song.tempo_map, song.codec.grid)


def build(folder, songs, **more):
    """Build a store of (name, song) pairs."""
    return corpora.build(folder, [corpora.Entry(name, song.group, bool(song.synthetic)) for name, song in songs],
                         dict(songs).__getitem__, **more)


# --- splits ---

@given(st.sets(st.text(max_size=5)))
def test_every_group_has_a_split_and_training_comes_first(groups):
    splits = split_groups(groups)
    assert set(splits) == groups
    sizes = [list(splits.values()).count(split) for split in SPLITS]
    assert sum(sizes) == len(groups)
    assert bool(groups) == bool(sizes[0])
    assert sizes.count(0) == max(0, 3 - len(groups))  # none is empty as long as there are groups for it


@given(st.integers(0, 1000))
def test_three_songs_are_one_of_each(number):
    assert sorted(split_groups(f"{number}-{song}" for song in range(3)).values()) == ["test", "train", "validation"]


def test_a_group_whose_hash_says_validation_trains_where_it_is_alone():
    alone = next(group for group in map(str, range(1000))
                 if split_groups([group, *map(str, range(1000, 1300))])[group] == "validation")
    assert split_groups([alone]) == {alone: "train"}


@given(st.sets(st.integers(0, 9999), max_size=50), st.sets(st.integers(0, 299), max_size=50))
def test_a_group_stays_on_its_side_when_others_come_and_go(come, go):
    before = split_groups(map(str, range(300)))
    after = split_groups(map(str, (set(range(300)) | come) - go))
    assert all(after[group] == split for group, split in before.items() if group in after)


def test_a_twentieth_each_is_kept_apart():
    splits = list(split_groups(map(str, range(10_000))).values())
    assert 400 < splits.count("validation") < 600
    assert 400 < splits.count("test") < 600


def test_a_split_without_a_share_stays_empty():
    splits = split_groups(map(str, range(9)), {"validation": 0.1, "test": 0.0})
    assert {*splits.values()} == {"train", "validation"}
    assert split_groups("ab", {"validation": 0.0, "test": 0.0}) == {"a": "train", "b": "train"}


# --- with dictionaries that stand already ---

OTHERS = [(name, song) for name, song in abc_songs(40, bars=6) if name not in dict(SONGS)]


def test_songs_in_memory_are_the_same_as_in_a_store_but_for_the_dictionaries(store, tmp_path):
    build(tmp_path / "tokens", OTHERS)
    stored = load(tmp_path / "tokens")
    songs = [(corpora.Entry(name, song.group), song.events, places_of(song)) for name, song in OTHERS]
    corpus = in_memory(songs, stored.vocabulary, CodecSettings())
    assert np.array_equal(corpus.tokens, stored.tokens) and corpus.songs == stored.songs
    assert corpus.totals == stored.totals


def test_a_store_is_translated_into_other_dictionaries_value_by_value(store, tmp_path):
    build(tmp_path / "tokens", OTHERS)
    wanted, stored = load(store[0]).vocabulary, load(tmp_path / "tokens")
    corpus = translate(stored, wanted)
    tokens, known = wanted.encode(stored.vocabulary.decode(stored.tokens, EVENT))
    assert np.array_equal(corpus.tokens[:, :PLACE], tokens)
    assert np.array_equal(corpus.tokens[:, PLACE:], stored.tokens[:, PLACE:])
    assert list(corpus.totals["exact"].values()) == known.sum(axis=0).tolist()
    assert known.any(axis=0).all() and not known.all()
    assert corpus.vocabulary is wanted and corpus.songs == stored.songs
    assert translate(corpus, wanted).tokens.tolist() == corpus.tokens.tolist()


# --- building and opening ---

@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "tokens"
    return folder, build(folder, SONGS, licences={"MIT": 30})


def test_all_songs_come_back_in_their_place(store):
    folder, _ = store
    corpus = load(folder)
    assert [song["name"] for song in corpus.songs] == [name for name, _ in SONGS]
    found = {split: iter(corpus.of_split(split)) for split in SPLITS}
    for record, (_, song) in zip(corpus.songs, SONGS):
        tokens, _ = corpus.vocabulary.encode(song.events)
        assert np.array_equal(next(found[record["split"]])[:, :PLACE], tokens)
    assert all(next(rest, None) is None for rest in found.values())


def test_the_place_of_each_event_in_its_bar_stands_beside_its_tokens(store):
    corpus = load(store[0])
    assert corpus.tokens.shape[1] == len(COLUMNS) and corpus.tokens.dtype == np.uint16
    for record, (_, song) in zip(corpus.songs, SONGS):
        onset = np.cumsum(song.events["step"])
        place, bar, left = corpus.tokens[record["start"]:record["start"] + record["events"], PLACE:].T.astype(int)
        assert np.array_equal(place, onset % 96) and (bar == 96).all()  # 4/4 at 24 points a quarter
        assert np.array_equal(left, onset[-1] // 96 - onset // 96 + 1)


def test_bars_follow_a_change_of_metre(tmp_path):
    """Two bars of 4/4, the second cut short by the 3/4 that begins at quarter 7, then 6/8 from quarter 13 on."""
    events = np.repeat(SONGS[0][1].events[:1], 9)
    events["step"] = np.diff(np.array([0, 36, 96, 160, 168, 180, 240, 312, 384]), prepend=0)
    clock = TempoMap(metres=metres((0.0, 4, 4), (7.0, 3, 4), (13.0, 6, 8)))
    build(tmp_path / "tokens", [("song", replace(SONGS[0][1], events=events, tempo_map=clock))])
    assert load(tmp_path / "tokens").tokens[:, PLACE:].tolist() == [
        [0, 96, 6], [36, 96, 6], [0, 72, 5], [64, 72, 5], [0, 72, 4], [12, 72, 4], [0, 72, 3], [0, 72, 2], [0, 72, 1]]


def test_no_token_is_a_special_one(store):
    corpus = load(store[0])
    assert corpus.tokens[:, :PLACE].min() >= SPECIALS > END
    assert (corpus.tokens[:, :PLACE].max(axis=0) < list(corpus.vocabulary.sizes.values())).all()


def test_the_tokens_stay_on_disk(store):
    corpus = load(store[0])
    assert isinstance(corpus.tokens, np.memmap)


def test_the_totals_add_up(store):
    folder, totals = store
    corpus = load(folder)
    assert corpus.totals == totals
    assert totals["songs"] == sum(totals[split] for split in SPLITS) == len(SONGS)
    assert totals["events"] == len(corpus.tokens) == sum(len(song.events) for _, song in SONGS)
    assert totals["licences"] == {"MIT": 30}
    assert corpus.codec == CodecSettings()
    assert all(0 < exact <= totals["events"] for exact in totals["exact"].values())


def test_the_dictionaries_are_counted_on_training_songs_alone(store):
    corpus = load(store[0])
    training = {song["name"] for song in corpus.songs if song["split"] == "train"}
    wanted = count_values(song.events for name, song in SONGS if name in training)
    assert np.array_equal(corpus.vocabulary.pitch.values, wanted.pitch.values)
    assert np.array_equal(corpus.vocabulary.pitch.counts, wanted.pitch.counts)


def test_exact_values_are_counted(store):
    folder, totals = store
    vocabulary = load(folder).vocabulary
    known = sum(int(np.isin(column_values(song.events, "step"), vocabulary.step.values).sum()) for _, song in SONGS)
    assert totals["exact"]["step"] == known


def test_synthetic_songs_and_versions_never_part(tmp_path):
    songs = grouped(SONGS, lambda name: str(int(name.split("-")[1]) // 3))  # three songs a group
    build(tmp_path / "tokens", songs)
    splits = {}
    for song in load(tmp_path / "tokens").songs:
        splits.setdefault(song["group"], set()).add(song["split"])
    assert len(splits) == 10
    assert all(len(of_group) == 1 for of_group in splits.values())
    assert set.union(*splits.values()) == set(SPLITS)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_tiny_corpus_can_be_built(count, tmp_path):
    totals = build(tmp_path / "tokens", SONGS[:count])
    assert [totals[split] for split in SPLITS] == [1, int(count > 1), int(count > 2)]
    assert len(load(tmp_path / "tokens").of_split("train")) == 1


@pytest.mark.parametrize("attribute", ["pitch", "step"])
def test_the_bits_of_a_song_follow_from_how_common_its_values_are(store, attribute):
    corpus, column = load(store[0]), ATTRIBUTES.index(attribute)
    size, end = corpus.vocabulary[attribute].size, [END] if attribute == "step" else []
    common = Counter(token for song in corpus.of_split("train") for token in [*song[:, column].tolist(), *end])
    total = size + sum(common.values())
    song = corpus.of_split("test")[0]
    bits = [-math.log2((1 + common[token]) / total) for token in [*song[:, column].tolist(), *end]]
    assert corpus.unigram_bits(attribute, [song]) == pytest.approx(sum(bits) / len(song))


def test_a_song_without_events_is_kept(tmp_path):
    songs = [*SONGS[:1], ("silence", replace(SONGS[1][1], events=np.empty(0, EVENT), group=SONGS[0][1].group))]
    build(tmp_path / "tokens", songs)
    assert [len(song) for song in load(tmp_path / "tokens").of_split("train")] == [len(SONGS[0][1].events), 0]


def test_the_same_songs_give_the_same_store(store, tmp_path):
    build(tmp_path / "tokens", SONGS, licences={"MIT": 30})
    assert all((tmp_path / "tokens" / name).read_bytes() == (store[0] / name).read_bytes() for name in FILES)


def test_a_new_store_replaces_the_old_one(tmp_path):
    build(tmp_path / "tokens", SONGS[:2])
    build(tmp_path / "tokens", SONGS[2:5])
    assert [song["name"] for song in load(tmp_path / "tokens").songs] == ["song-2", "song-3", "song-4"]
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]
    assert sorted(path.name for path in (tmp_path / "tokens").iterdir()) == sorted(FILES)


def test_what_fails_leaves_the_old_store_as_it_was(tmp_path):
    build(tmp_path / "tokens", SONGS[:2])
    mixed = [SONGS[0], ("other", replace(SONGS[1][1], codec=CodecSettings(split_ratio=None)))]
    with pytest.raises(InputError, match=r"other was made with .*split_ratio=None.*; wanted one setting for all"):
        build(tmp_path / "tokens", mixed)
    assert len(load(tmp_path / "tokens").songs) == 2


def test_no_songs_are_refused(tmp_path):
    with pytest.raises(InputError, match="no abc song found"):
        build(tmp_path / "tokens", [])
    assert not (tmp_path / "tokens").exists()


def test_a_folder_with_other_files_is_not_replaced(tmp_path):
    (tmp_path / "song.mid").write_bytes(b"precious")
    with pytest.raises(InputError, match="holds song.mid, no part of a token store; wanted an empty or new folder"):
        build(tmp_path, SONGS[:1])
    assert (tmp_path / "song.mid").read_bytes() == b"precious"
    with pytest.raises(InputError, match="song.mid is a file; wanted a folder"):
        build(tmp_path / "song.mid", SONGS[:1])


def test_synthetic_songs_are_for_training_alone(tmp_path):
    made = [(f"{name}~close", replace(song, synthetic="close")) for name, song in SONGS]
    totals = build(tmp_path / "tokens", [*SONGS, *made])
    corpus = load(tmp_path / "tokens")
    assert (totals["songs"], totals["synthetic"]) == (60, 30)
    for split, times in (("train", 2), ("validation", 1), ("test", 1)):
        songs = [song for song in corpus.songs if song["split"] == split]
        assert len(corpus.of_split(split)) == len(songs) * times / 2
        assert {song["name"].removesuffix("~close") for song in songs if song["synthetic"]} == {
            song["name"] for song in songs if not song["synthetic"]}  # a synthetic song stands on its original's side


@pytest.mark.parametrize(("beside", "share"), [(None, 1), (0, 0), (1, 1 / 3), (0.5, 1 / 6), (9, 1)])
def test_of_synthetic_songs_so_much_is_shown_as_is_asked_for(beside, share, tmp_path):
    originals = SONGS[:4]
    family = [(f"{name} {number}", replace(song, group=song.group, synthetic="held")) for name, song in originals
              for number in range(3)]
    build(tmp_path / "tokens", originals + family)
    store = load(tmp_path / "tokens")
    synthetic = [song["synthetic"] for song in store.songs if song["split"] == "train"]
    assert True in synthetic and False in synthetic
    assert store.shares(beside).tolist() == pytest.approx([share if made else 1 for made in synthetic])


def test_the_store_does_not_depend_on_how_many_songs_are_read_at_a_time(store, tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "CHUNK", 7)
    monkeypatch.setattr(corpora, "MERGE", 50)
    build(tmp_path / "tokens", SONGS, licences={"MIT": 30})
    assert all((tmp_path / "tokens" / name).read_bytes() == (store[0] / name).read_bytes() for name in FILES)


def test_a_store_says_what_it_is_made_of(tmp_path):
    assert made_of(tmp_path / "tokens") is None
    build(tmp_path / "tokens", SONGS[:3], made_of="these three")
    assert made_of(tmp_path / "tokens") == "these three"
    (tmp_path / "tokens" / "tokens.npy").unlink()
    assert made_of(tmp_path / "tokens") is None


# --- broken stores ---

def rewrite(name, change):
    return lambda folder: (folder / name).write_text(change((folder / name).read_text(encoding="utf-8")), "utf-8")


def without(field):
    return lambda text: json.dumps({name: value for name, value in json.loads(text).items() if name != field})


def cut_in_half(name):
    def cut(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:len(content) // 2])
    return cut


def resave(name, change):
    return lambda folder: np.save(folder / name, change(np.load(folder / name)))


def drop_a_song(text):
    return "\n".join(text.splitlines()[1:])


BROKEN = {
    "no corpus.json": (lambda folder: (folder / "corpus.json").unlink(), "holds no token store"),
    "no tokens.npy": (lambda folder: (folder / "tokens.npy").unlink(), "is not a complete token store"),
    "no songs.jsonl": (lambda folder: (folder / "songs.jsonl").unlink(), "is not a complete token store"),
    "no vocabulary.json": (lambda folder: (folder / "vocabulary.json").unlink(), "vocabulary.json is missing"),
    "corpus.json cut": (rewrite("corpus.json", lambda text: text[:50]), "is not a complete token store"),
    "corpus.json a list": (rewrite("corpus.json", lambda text: "[]"), "is not a complete token store"),
    "corpus.json without settings": (rewrite("corpus.json", without("settings")), "is not a complete token store"),
    "corpus.json without train": (rewrite("corpus.json", without("train")), "it lacks train"),
    "corpus.json of another format": (
        rewrite("corpus.json", lambda text: text.replace("corpus 3", "corpus 4")),
        "format 'serenity-corpus 4'; wanted 'serenity-corpus 3': run preprocess.py again"),
    "a store of the time in seconds": (
        rewrite("corpus.json", lambda text: text.replace("corpus 3", "corpus 1").replace("grid", "time_step")),
        "format 'serenity-corpus 1', made by an older Serenity; wanted 'serenity-corpus 3': "
        "run preprocess.py again"),
    "a setting out of range": (
        rewrite("corpus.json", lambda text: text.replace('"grid": 24', '"grid": 0')), "grid 0, wanted"),
    "an unknown setting": (
        rewrite("corpus.json", lambda text: text.replace('"grid"', '"mesh"')), "is not a complete token store"),
    "songs.jsonl cut": (rewrite("songs.jsonl", lambda text: text[:-10]), "is not a complete token store"),
    "a song too few": (rewrite("songs.jsonl", drop_a_song), "songs.jsonl has"),
    "a song without split": (rewrite("songs.jsonl", lambda text: text.replace('"split"', '"side"')), "it lacks split"),
    "songs.jsonl empty": (rewrite("songs.jsonl", lambda text: ""), "songs.jsonl has 0 events"),
    "tokens.npy empty": (lambda folder: (folder / "tokens.npy").write_bytes(b""), "is not a complete token store"),
    "tokens.npy cut": (cut_in_half("tokens.npy"), "is not a complete token store"),
    "tokens.npy of another type": (
        resave("tokens.npy", lambda tokens: tokens.astype(float)), "type float64, but songs.jsonl has"),
    "tokens.npy a pickle": (
        lambda folder: np.save(folder / "tokens.npy", np.array([{}]), allow_pickle=True), "not a complete token store"),
    "tokens.npy of too few events": (resave("tokens.npy", lambda tokens: tokens[1:]), "tokens.npy has shape ("),
    "tokens.npy without the bars": (resave("tokens.npy", lambda tokens: tokens[:, :4]), "tokens.npy has shape ("),
    "vocabulary.json cut": (rewrite("vocabulary.json", lambda text: text[:50]), "vocabulary.json: not JSON"),
}


@pytest.mark.parametrize(("break_it", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_store_is_refused(break_it, said, tmp_path):
    build(tmp_path / "tokens", SONGS[:3])
    break_it(tmp_path / "tokens")
    with pytest.raises(InputError) as error:
        load(tmp_path / "tokens")
    assert said in str(error.value)


@pytest.mark.parametrize("path", ["missing", "file"])
def test_what_is_no_store_is_refused(path, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="holds no token store"):
        load(tmp_path / path)
