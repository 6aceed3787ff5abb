"""Fine-tuning: a trained model, the base, goes on learning, from other songs.

Sizes, windows, codec and dictionaries stay those of the base. Songs with other dictionaries are translated.
"""

from dataclasses import dataclass
from pathlib import Path

from serenity.errors import InputError
from serenity.model import checkpoint
from serenity.model.checkpoint import Checkpoint
from serenity.tokens import novelty
from serenity.tokens import vocabulary as vocabularies
from serenity.tokens.corpus import Corpus, translate
from serenity.tokens.vocabulary import ATTRIBUTES


@dataclass(frozen=True)
class Base:
    """The model that a training begins with."""

    name: str
    model: Checkpoint
    data: dict  # what it learned from, as training.json has it
    index: novelty.Index | None  # of the songs it learned from


def read_base(folder: Path) -> Base:
    """Read a model to begin with. Raises InputError where it is not whole."""
    model = checkpoint.load(folder)
    data = checkpoint.read_json(folder / "training.json").get("data", {}) \
        if (folder / "training.json").is_file() else {}
    return Base(folder.resolve().name, model, data, checkpoint.read_novelty(folder))


def in_words_of(base: Base, corpus: Corpus, name: str) -> Corpus:
    """Return a corpus in the base's tokens. Raises InputError where its songs went through another codec."""
    if corpus.codec != base.model.settings.codec:
        raise InputError(f"{name} was made with {corpus.codec}, the model {base.name} with "
                         f"{base.model.settings.codec}; wanted the same: preprocess the songs again")
    own, wanted = (vocabularies.to_json(vocabulary) for vocabulary in (corpus.vocabulary, base.model.vocabulary))
    return corpus if own == wanted else translate(corpus, base.model.vocabulary)


def known(corpus: Corpus) -> str:
    """Return in words how much of a corpus its dictionaries know exactly."""
    events, exact = corpus.totals["events"], corpus.totals["exact"]
    share = sum(exact.values()) / (len(ATTRIBUTES) * events)
    rows = ", ".join(f"{attribute} {exact[attribute] / events:.1%}" for attribute in ATTRIBUTES)
    return f"{1 - share:.1%} of the values are unknown to the model and became their nearest (known: {rows})"


def data_of(base: Base, data: dict) -> dict:
    """Return what a model made from the base has learned from: `data`, as in training.json, and the base's own data."""
    before = {"source": "not known", "licence": "unknown"} | base.data
    songs = f"{before['train']:,} songs; " if "train" in before else ""
    return data | {"source": f"{data['source']}. Made from {base.name}, which learned before from: {songs}"
                             f"{before['source']}",
                   "licence": f"{data['licence']}; of what {base.name} learned from: {before['licence']}"}
