"""Figures of quality: how they are made, and that README quotes them as benchmarks/quality.json has them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import examples, quality
from benchmarks.quality import Songs, readme_figures
from benchmarks.remi import NAMES
from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.music import midi_file
from serenity.music.song import of_score
from serenity.tokens import corpus as corpora
from serenity.tokens.vocabulary import ATTRIBUTES
from tests.songs import abc_songs

REMI = NAMES["adamw"]
ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "benchmarks" / "quality.json"


def missing(figures, text):
    return [figure for figure in figures if figure not in text]


@pytest.mark.skipif(not FIGURES.exists(), reason="the shipped model is not judged yet: no benchmarks/quality.json")
def test_readme_quotes_the_figures_of_quality():
    text = (ROOT / "README.md").read_text() + (ROOT / "models" / "serenity-mini" / "README.md").read_text()
    assert not missing(readme_figures(json.loads(FIGURES.read_text())), text)


def test_the_page_of_the_studio_quotes_its_figure():
    ratio = json.loads((ROOT / "benchmarks" / "studio.json").read_text())["ratio"]["wall"]
    assert f"after {ratio:.2f} of the time" in (ROOT / "docs" / "studio.md").read_text()


def test_the_page_of_examples_says_what_was_counted_and_shows_every_song():
    result = json.loads(examples.RESULTS.read_text())
    assert (examples.FOLDER / "README.md").read_text() == examples.document(result)
    assert list(result["songs"]) == ["intro", *examples.SEEDS] and len(result["songs"]) == 12
    for name, row in result["songs"].items():
        wanted = {".mid", ".png", ".mp3"} if "sound" in row else {".mid", ".png"}
        assert {path.suffix for path in examples.FOLDER.glob(f"{name}.*")} == wanted
    if "sound" in row:
        assert (examples.FOLDER / "listen.html").read_text() == examples.page(result)
        assert sum(path.stat().st_size for path in examples.FOLDER.glob("*.mp3")) < examples.LARGEST


def test_the_page_with_players_shows_each_song_and_asks_no_other_host():
    result = {"settings": "", "songs": {name: {"about": "a <b> & c", "join": 21.8, "sound": 1} for name in ("a", "b")}}
    text = examples.page(result)
    assert [text.count(f'src="{name}.{kind}"') for name in "ab" for kind in ("mp3", "png")] == [1] * 4
    assert "a &lt;b&gt; &amp; c" in text and "//" not in text and "<script" not in text and "begins at 22 s" in text


@pytest.mark.parametrize(("songs", "message"), [
    (("walz",), "no example 'walz'; wanted some of intro, waltz"), (("waltz",), "wanted another --folder")])
def test_examples_that_are_not_there_or_would_be_mixed_are_refused(songs, message):
    with pytest.raises(InputError, match=message):
        examples.main(examples.Parameters(songs))


COMPOSED = [name for name, seed in examples.SEEDS.items() if isinstance(seed, examples.Seed)]


@pytest.mark.parametrize("name", COMPOSED)
def test_the_voices_of_a_seed_end_with_a_bar_together(name, tmp_path):
    seed = examples.SEEDS[name]
    for _, text in seed.voices:
        bars = [sum(float(note.partition("/")[2]) for note in bar.split()) for bar in text.split("|")]
        assert bars == pytest.approx([seed.beats] * len(bars), abs=0.01)
        assert len(bars) == seed.voices[0][1].count("|") + 1
    score = midi_file.read(examples.write_seed(tmp_path, name))
    notes = score.tracks[0].notes
    assert len(notes) >= 4 and notes["velocity"].min() > 40
    assert of_score(score).beats.metre == seed.metre


# --- the script, on a model of random weights whose bits are told beforehand ---

@pytest.fixture
def judged(model_folder, tmp_path, monkeypatch):
    """Run quality.py on songs of the tests, and return what it writes."""
    for name, value in (("PROMPT", 8), ("EVENTS", 24), ("RECALL", 8), ("DRAWS", 20)):
        monkeypatch.setattr(quality, name, value)
    monkeypatch.setattr(quality, "judge", lambda model, songs, batch: (
        dict.fromkeys(ATTRIBUTES, 2.0 * songs.events),
        {attribute: {f"top {top}": quality.figure(songs.events / 2, songs.events) for top in quality.TOPS}
         for attribute in ATTRIBUTES}))
    songs = dict(abc_songs(12, bars=6))
    corpora.build(tmp_path / "tokens", [corpora.Entry(name, name) for name in songs], songs.__getitem__)
    checkpoint.write_json(model_folder / "training.json", {"networks": {"pitch": {"minutes": 3}}})
    store = corpora.load(tmp_path / "tokens")
    rows = [song for song in store.songs if song["split"] == "train"][:3]
    lines = (tmp_path / "tokens" / "songs.jsonl").read_text().splitlines()
    lines = [line.replace('"split": "train"', '"split": "test"') if json.loads(line)["name"] in
             [row["name"] for row in rows] else line for line in lines]
    (tmp_path / "tokens" / "songs.jsonl").write_text("\n".join(lines) + "\n")
    held_out = [song for song in corpora.load(tmp_path / "tokens").songs if song["split"] == "test"]
    rows = [{"name": song["name"], "bits": 40.0 * song["events"], "notes": song["events"]} for song in held_out]
    run = {"parameters": 7, "seconds": 60, "shown": 5, "splits": {"test": {"songs": rows}}}
    others = {"test": {"songs": rows[1:]}}  # of other songs, so it cannot be compared
    events = [song["events"] for song in held_out]
    columns = {"songs": [song["name"] for song in held_out], "events": events,
               "bits": {"counting": dict.fromkeys(ATTRIBUTES, [3.0 * number for number in events])}}
    (tmp_path / "baselines.json").write_text(json.dumps({"key, 1.5, test": columns}))
    (tmp_path / "remi.json").write_text(json.dumps({REMI: run, "others": run | {"splits": others}, "tried": []}))

    def judge(**changes):
        parameters = quality.Parameters(tmp_path / "tokens", model_folder, temperatures=(0.5, 1.0), reconstruct=2,
                                        baselines=tmp_path / "baselines.json", remi=tmp_path / "remi.json",
                                        results=tmp_path / "quality.json")
        quality.main(replace(parameters, **changes))
        return json.loads((tmp_path / "quality.json").read_text())
    return judge


def test_a_model_is_judged_beside_its_rivals(judged, capsys):
    result = judged()
    assert result["bits"]["joint"]["per event"]["value"] == 8
    notes_per_event = result["notes"] / result["events"]
    assert result["bits"]["joint"]["per note"]["value"] == pytest.approx(8 / notes_per_event)
    rival = result["rivals"][REMI]
    assert rival["joint"]["per note"]["value"] == 40
    assert rival["model needs fewer"]["value"] == pytest.approx(40 - 8 / notes_per_event)
    assert rival["intervals apart"]
    assert f"| {REMI} |" in capsys.readouterr().out
    assert set(result["rivals"]) == {"counting", REMI}
    counting = result["rivals"]["counting"]
    assert counting["step"]["per event"]["value"] == 3
    assert counting["joint"]["per event"]["value"] == 12
    assert counting["model needs fewer"]["value"] == pytest.approx(4 / notes_per_event)


def test_rivals_that_were_not_measured_on_these_songs_are_named(judged, tmp_path, capsys):
    result = judged(baselines=tmp_path / "none.json", songs=3)
    assert set(result["rivals"]) == {REMI}
    assert "none.json holds no figures of these songs" in capsys.readouterr().err


def test_continuations_are_measured_beside_real_ones(judged):
    generated = judged()["generated"]
    sets = generated["sets"]
    assert set(sets) == {quality.REAL, quality.SHUFFLED, quality.COPIED, quality.OTHERS, "temperature 0.5",
                         "temperature 1", "best of 4"}
    assert sets[quality.REAL]["distance"]["mean"]["value"] == 0
    assert sets[quality.COPIED]["measures"]["longest loop"]["value"] > 0.8
    for same in ("scale consistency", "key kept"):  # whatever their order
        assert sets[quality.SHUFFLED]["measures"][same] == sets[quality.REAL]["measures"][same]
    assert sets[quality.OTHERS]["longest run of all"] == 24  # training songs are found whole
    distance = {name: row["distance"]["mean"]["value"] for name, row in sets.items()}
    assert f"temperature {generated['closest']:g}" == min(["temperature 0.5", "temperature 1"], key=distance.get)


def test_what_readme_is_to_say_is_what_was_measured(judged):
    result = judged()
    figures = readme_figures(result)
    per_note = result["bits"]["joint"]["per note"]
    assert f"| Serenity | {per_note['value']:.2f} | {per_note['interval'][0]:.2f} to {per_note['interval'][1]:.2f} |" \
        in figures
    assert f"| {REMI} | 40.00 | 40.00 to 40.00 |" in figures
    text = "\n".join(figures)
    assert not missing(figures, text)
    assert missing(figures, text.replace("40.00 to", "41.00 to")) == [f"| {REMI} | 40.00 | 40.00 to 40.00 |"]


def test_a_store_of_other_events_is_refused(judged, model_folder):
    config = json.loads((model_folder / "config.json").read_text())
    config["codec"]["split_ratio"] = 3.0
    (model_folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="split_ratio=3.0"):
        judged()


def test_songs_that_are_too_short_to_continue_are_refused(judged, monkeypatch):
    monkeypatch.setattr(quality, "EVENTS", 10_000)
    with pytest.raises(InputError, match="10008 events or more"):
        judged()


# --- recall ---

@pytest.mark.parametrize(("wrong", "known"), [(0, 1), (4, 1), (5, 0)])
def test_a_song_is_known_again_by_half_of_its_chords(monkeypatch, wrong, known):
    monkeypatch.setattr(quality, "PROMPT", 8)
    monkeypatch.setattr(quality, "RECALL", 8)
    song = np.arange(80).reshape(20, 4).astype(np.int32)
    made = song[8:16].copy()
    made[:wrong, ATTRIBUTES.index("pitch")] += 1
    monkeypatch.setattr(quality, "continued", lambda *_, **__: made)
    found = quality.recall(None, Songs(["song"], [song], np.array([20]), np.array([30])))
    assert found["continued as themselves"]["value"] == known
    assert found["events as in the song"]["value"] == 1 - wrong / 8
