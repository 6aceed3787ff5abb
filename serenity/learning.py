"""From tokens to a model, as train.py does it: songs, what the networks are like, and then one network after another.

    songs = learning.read_store(Path("data/tokens"))
    learning.train(Path("models/mine"), songs, learning.design(songs), TrainingSettings(epochs=3))

To train an existing model further (fine-tuning), give it as `base`: read_base(folder). Sizes, codec and dictionaries
stay those of the base; songs with other dictionaries are translated. Windows may become longer.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from serenity.errors import InputError
from serenity.listen import piano_roll
from serenity.model import checkpoint, records
from serenity.model.checkpoint import Checkpoint
from serenity.settings import ATTRIBUTES, ModelSettings, NetworkSettings, TrainingSettings, WindowSettings, preset
from serenity.sources import manifest
from serenity.tokens import corpus as corpora
from serenity.tokens import novelty
from serenity.tokens import vocabulary as vocabularies
from serenity.tokens.corpus import Corpus, translate
from serenity.tokens.own_songs import read_folder


@dataclass(frozen=True)
class Base:
    """The model that a training begins with."""

    name: str
    model: Checkpoint
    data: dict  # what it learned from, as training.json has it
    index: novelty.Index | None  # of the songs it learned from


@dataclass(frozen=True)
class Songs:
    """The songs to learn from, and the model that goes on learning."""

    corpus: Corpus
    base: Base | None = None       # the model that goes on learning
    refused: tuple[str, ...] = ()  # a line on each file that cannot be read


@dataclass(frozen=True)
class Said:
    """What a model's card says of its songs."""

    source: str = "not known"
    licence: str | None = None  # None: as fetch.py noted


# --- songs ------------------------------------------------------------------------------------------------------------

def read_base(folder: Path) -> Base:
    """Read a model to begin with. Raises InputError where it is not whole."""
    model = checkpoint.load(folder)
    return Base(folder.resolve().name, model, records.read(folder)["data"], checkpoint.read_novelty(folder))


def read_store(folder: Path, base: Base | None = None) -> Songs:
    """Open a token store; with a base, in the tokens of the base. Raises InputError where it has no training song."""
    corpus = corpora.load(folder)
    return _checked(Songs(_in_tokens_of(base, corpus, str(folder)) if base else corpus, base), folder)


def read_midi(folder: Path, base: Base) -> Songs:
    """Read the MIDI files and scores below a folder in the base's tokens. Raises InputError where none can be read."""
    corpus, refused = read_folder(folder, base.model.vocabulary, base.model.settings.codec, os.cpu_count() or 1)
    fetched = manifest.stored(folder)
    licences = Counter(fetched.get(song["name"], {}).get("licence") or "unknown" for song in corpus.songs)
    return _checked(Songs(replace(corpus, totals=corpus.totals | {"licences": dict(licences)}), base, tuple(refused)),
                    folder)


def _in_tokens_of(base: Base, corpus: Corpus, name: str) -> Corpus:
    """Return a corpus in the base's tokens. Raises InputError where its songs went through another codec."""
    if corpus.codec != base.model.settings.codec:
        raise InputError(f"{name} was made with {corpus.codec}, the model {base.name} with "
                         f"{base.model.settings.codec}; wanted the same: preprocess the songs again")
    own, wanted = (vocabularies.to_json(vocabulary) for vocabulary in (corpus.vocabulary, base.model.vocabulary))
    return corpus if own == wanted else translate(corpus, base.model.vocabulary)


def known(corpus: Corpus) -> str:
    """Return in words how many of the values of a corpus its dictionaries know exactly."""
    events, exact = corpus.totals["events"], corpus.totals["exact"]
    share = sum(exact.values()) / (len(ATTRIBUTES) * events)
    rows = ", ".join(f"{attribute} {exact[attribute] / events:.1%}" for attribute in ATTRIBUTES)
    return f"{1 - share:.1%} of the values are unknown to the model and became their nearest (known: {rows})"


def _checked(songs: Songs, folder: Path) -> Songs:
    if not songs.corpus.of_split("train"):
        raise InputError(f"{folder} holds no training song; wanted one or more")
    return songs


# --- networks ---------------------------------------------------------------------------------------------------------

def design(songs: Songs, size: str = "mini", name: str = "serenity", window: WindowSettings | None = None,
           dropout: float = NetworkSettings.dropout) -> ModelSettings:
    """Return what the networks are like: those of the base, or of a preset's size and a design's name.

    `window` None: that of the base, or the default. Raises InputError, also where a base of the original's design is to
    have another window: its learned distances belong to the one that it has.
    """
    networks = songs.base.model.settings.networks if songs.base else preset(size, name)
    networks = {attribute: replace(network, dropout=dropout) for attribute, network in networks.items()}
    if songs.base is None:
        return ModelSettings(networks, songs.corpus.vocabulary.sizes, window or WindowSettings(), songs.corpus.codec,
                             name)
    base = songs.base.model.settings
    if base.has_encoder and window not in (None, base.window):
        raise InputError(f"a window of {window.prompt} + {window.continuation} events for a model of the original's "
                         f"design, which has {base.window.prompt} + {base.window.continuation}; wanted no other one")
    return replace(base, networks=networks, window=window or base.window)


def train(folder: Path, songs: Songs, settings: ModelSettings, training: TrainingSettings = TrainingSettings(),
          attributes: Sequence[str] = ATTRIBUTES, said: Said = Said()) -> dict[str, dict]:
    """Train networks, one after another, in a new folder; return the figures of each (training.train_network).

    Raises InputError where the folder holds one of them, and for what ends a training.
    """
    settings = records.agree(folder, settings, songs.corpus.vocabulary, tuple(attributes), resume=False)
    begin(folder, songs, settings, said)
    for attribute in attributes:
        networks = train_one(folder, songs, settings, training, attribute)
    return networks


def begin(folder: Path, songs: Songs, settings: ModelSettings, said: Said) -> str:
    """Write what a model's folder holds beside weights; return what it said otherwise until now (records.begin)."""
    totals, base = songs.corpus.totals, songs.base
    licences = ", ".join(f"{licence} ({number} songs)" for licence, number in totals["licences"].items())
    data = {"source": said.source, "licence": said.licence or licences or "unknown"}
    return records.begin(folder, settings, songs.corpus, _with_data_of(base, data) if base else data,
                         base.index if base else None)


def _with_data_of(base: Base, data: dict) -> dict:
    """Return what a model made from the base has learned from: `data`, as in training.json, and the base's own data."""
    before = {"source": "not known", "licence": "unknown"} | base.data
    songs = f"{before['train']:,} songs; " if "train" in before else ""
    return data | {"source": f"{data['source']}. Made from {base.name}, which learned before from: {songs}"
                             f"{before['source']}",
                   "licence": f"{data['licence']}; of what {base.name} learned from: {before['licence']}"}


def train_one(folder: Path, songs: Songs, settings: ModelSettings, training: TrainingSettings, attribute: str,
              resume: bool = False) -> dict[str, dict]:
    """Train one network; return the figures of all that the folder holds. The import of TensorFlow takes seconds.

    Raises InputError for what a user can mend (training.train_network).
    """
    with tensorflow_quiet():
        from serenity.model.training import Task, train_network

    base = songs.base
    task = Task(songs.corpus, settings, attribute, training.settled(fine_tuning=base is not None),
                base.model if base else None)
    figures = train_network(task, folder, resume, piano_roll.save)
    return records.add(folder, settings, attribute, figures)


@contextmanager
def tensorflow_quiet() -> Iterator[None]:
    """Let TensorFlow be imported within, as fast as it can be and without remarks on which nobody can act."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # on the processor
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # products 1.6 times as fast; TensorFlow asks for Intel's own
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # on retracing: each network is traced anew, of course
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
