"""A sample of what the networks have learned so far: the continuation of a song that they did not learn from.

For attributes whose networks are not trained yet, the song's own values are taken, event by event. So even a single
network can be heard from its first epoch on.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from serenity.model import checkpoint
from serenity.model.checkpoint import Checkpoint
from serenity.model.dataset import Task
from serenity.model.generation import Rules, complete
from serenity.music import codec, midi_file
from serenity.music.codec import EVENT
from serenity.music.tempo_map import TempoMap
from serenity.settings import ModelSettings, Sampling
from serenity.tokens.vocabulary import ATTRIBUTES, Vocabulary
from serenity.tokens.windows import stream

PROMPT, EVENTS = 64, 256  # at most; of a short song the prompt is half
PIANO = 0  # program

Draw = Callable[..., object]  # draw(path, notes, split=seconds where the continuation begins, title=text)


def compose(songs: list[np.ndarray], settings: ModelSettings, vocabulary: Vocabulary,
            weights: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[np.ndarray, float] | None:
    """Return the longest of the songs (events, 4) with a continuation of its beginning: notes, and the second at which
    the continuation begins.

    `weights` are those of the trained networks, by attribute. The continuation is drawn from the networks' own
    likelihoods, without any limit, and always with the same random numbers. None if no song has two events.
    """
    song = max(songs, key=len)
    prompt = min(PROMPT, len(song) // 2)
    if not prompt:
        return None
    rest = song[prompt:prompt + EVENTS]
    given = {attribute: rest[:, column] for column, attribute in enumerate(ATTRIBUTES) if attribute not in weights}
    made, = complete(Checkpoint(settings, vocabulary, weights), stream(song, 0, prompt + 1), len(rest),
                     Sampling(), seed=0, rules=Rules(given=given))
    events = vocabulary.decode(np.concatenate([song[:prompt], made.tokens]), EVENT)
    clock, grid = TempoMap(), settings.codec.grid  # tokens say nothing of the tempo
    start = float(clock.seconds(events["step"][:prompt + 1].sum() / grid))
    return codec.decode(events, clock, grid), start


def write_sample(task: Task, folder: Path, epoch: int, draw: Draw | None) -> None:
    """Write a sample of the networks in a model's folder, after an epoch of one of them, as MIDI and as a picture."""
    weights = dict(task.start.weights) if task.start else {}
    weights |= {name: checkpoint.read_weights(folder, name, task.settings) for name in ATTRIBUTES
                if checkpoint.weights_path(folder, name).is_file()}
    song = compose(task.judged, task.settings, task.corpus.vocabulary, weights)
    if song is None:
        return
    notes, begins = song
    path = folder / "training" / "samples" / f"{task.attribute}-epoch-{epoch:03}.mid"
    title = f"{task.attribute}, epoch {epoch}"
    path.parent.mkdir(parents=True, exist_ok=True)
    midi_file.write(path, [midi_file.Track("Piano", PIANO, False, notes)], texts=[title])
    if draw is not None:
        draw(path.with_suffix(".png"), notes, split=begins, title=title)
