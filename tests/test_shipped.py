"""What is part of the project and not code: the model, its card, the documents."""

import json
import re
from pathlib import Path

import pytest

import config
import generate
from benchmarks import seed_path
from serenity import completion
from serenity.model import checkpoint
from serenity.model.designs import parameter_count
from serenity.music import codec, midi_file
from serenity.music.song import of_score
from serenity.tokens.novelty import longest_run
from serenity.tokens.vocabulary import ATTRIBUTES
from tests.scripts import asking

ROOT = Path(__file__).parent.parent
MODEL = config.MODEL


@pytest.fixture(scope="module")
def training():
    return json.loads((MODEL / "training.json").read_text())


def test_the_model_is_whole_and_small_enough_to_ship():
    model = checkpoint.load(MODEL)
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= 25e6
    assert parameter_count(model.settings) * 2 <= 25e6


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_each_network_learned_far_more_than_how_often_values_occur(training, attribute):
    figures = training["networks"][attribute]
    assert figures["bits"] < 0.9 * figures["unigram_bits"]


def test_the_card_says_what_training_measured(training):
    settings, _ = checkpoint.read_settings(MODEL)
    notes = (MODEL / "notes.md").read_text()
    assert (MODEL / "README.md").read_text() == checkpoint.card(MODEL.name, settings, training, notes)


def test_the_model_knows_which_songs_it_learned_from(training):
    index = checkpoint.read_novelty(MODEL)
    assert training["novelty"] == {"songs": index.songs, "events": index.events, "grams": len(index.places)}
    assert index.songs == training["data"]["train"] + training["data"]["synthetic"]
    _, vocabulary = checkpoint.read_settings(MODEL)
    intro = of_score(midi_file.read(config.EXAMPLE_SEED))  # composed, not learned
    tokens, _ = vocabulary.encode(codec.encode(intro, codec.CodecSettings()).events)
    assert longest_run(index, vocabulary.pitch.decode(tokens[:, 0])).length < 2 * index.events


def test_the_page_of_the_model_quotes_what_training_measured(training):
    text = (ROOT / "docs" / "model.md").read_text()
    for attribute, figures in training["networks"].items():
        assert f"| {attribute} | {figures['unigram_bits']:.2f} | {figures['bits']:.2f} |" in text


def test_the_map_names_every_folder_and_script_and_no_other():
    map_ = (ROOT / "README.md").read_text().split("### Map\n")[1].split("###")[0]
    named = re.findall(r"^    +([\w.]+)/?(?=  |$)", map_, re.MULTILINE)
    folders = [path.parent.name for path in ROOT.glob("serenity/**/__init__.py")]
    others = ["models", "data", "tests", "benchmarks", "docs", "install.sh"]
    assert sorted(named) == sorted([*folders, *others, *(path.name for path in ROOT.glob("*.py"))])


def test_the_event_that_readme_follows_has_these_tokens():
    model = completion.load(MODEL)
    prompt = completion.read_seed(config.EXAMPLE_SEED, model).music.prompt
    said = ", ".join(f"{attribute} {token}" for attribute, token in zip(ATTRIBUTES, prompt[2].tolist()))  # after START
    assert f"tokens<br/>{said}\"" in (ROOT / "README.md").read_text()


def test_the_library_example_of_readme_does_what_its_comments_say(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = (ROOT / "README.md").read_text().split("## Use the library\n")[1].split("\n## ")[0]
    lines = [line.removeprefix("    ") for line in section.splitlines() if line.startswith("    ")]
    paths = {"data/intro.mid": config.EXAMPLE_SEED.as_posix(), "models/serenity-mini": config.MODEL.as_posix()}
    code = "\n".join(lines)
    for relative, path in paths.items():
        code = code.replace(relative, path)
    exec(code, {})  # noqa: S102 - our own lines
    printed = [line.partition("  # ")[2] for line in lines if line.startswith("print")]
    assert (tmp_path / "song.mid").exists()
    assert printed and capsys.readouterr().out.splitlines() == printed


def test_readme_says_through_how_many_files_a_seed_passes(tmp_path):
    model = completion.load(MODEL)
    found = seed_path.passed(lambda: seed_path.complete(config.EXAMPLE_SEED, model, tmp_path / "song.mid"))
    (said,) = re.findall(r"no more than (\d+) files of `serenity/`", " ".join((ROOT / "README.md").read_text().split()))
    assert 30 < len(found) <= int(said), sorted(found)


DOCUMENTS = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"),
             *ROOT.glob("benchmarks/*.md"), *ROOT.glob("models/*/README.md")]


def anchors(document):
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_link_to_what_exists(document):
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if not target.startswith("http"):
            path, _, anchor = target.partition("#")
            page = document.parent / path if path else document
            assert page.exists(), target
            assert not anchor or anchor in anchors(page), target


def test_without_arguments_the_intro_is_completed(tmp_path, monkeypatch, capsys):
    """The README's first command, to its end."""
    monkeypatch.chdir(tmp_path)
    generate.main(asking(events=256))
    song = midi_file.read(tmp_path / "intro-serenity.mid")
    seed = midi_file.read(config.EXAMPLE_SEED)
    continuation = song.tracks[-1].notes
    assert len(continuation) >= 256
    assert continuation["onset"].max() > seed.tracks[0].notes["onset"].max() + 20  # seconds of new music
    assert len(set(continuation["pitch"].tolist())) >= 12
    assert (tmp_path / "intro-serenity.png").stat().st_size > 10_000
