"""Complete a song: a seed MIDI file goes in, the seed and its continuation come out.

    generate.py                            the example intro -> intro-serenity.mid
    generate.py SEED.mid [OUT.mid]         one's own
    generate.py SEED.mid --top-k 8 --variations 4 --seed 7
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

import config
from serenity.command_line import run
from serenity.errors import InputError

LONGEST = 100_000  # events; beyond it memory, not music, sets the limit


@dataclass(frozen=True)
class Parameters:
    """Complete a song from its beginning, in its own key and tempo."""

    song: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="SEED.mid")]] = config.EXAMPLE_SEED  # its intro
    out: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="OUT.mid")]] = None  # SEED-serenity.mid
    model: Path = config.MODEL       # folder of the model
    events: int = 512                # length of the continuation; an event is a note or chord
    prompt_events: int | None = None  # take so many events from the seed's beginning, drop the rest; None: all
    temperature: float = 1.0         # with top_k above 1: below 1 safer, above 1 bolder
    top_k: int | None = None         # choose among so many of the likeliest; None: 1, for the example intro 16
    seed: int = 0                    # of chance: the same number gives the same song
    variations: int = 1              # so many continuations, OUT-1.mid, OUT-2.mid ...
    picture: bool = True             # a piano roll beside each song, OUT.png


def main(parameters: Parameters) -> None:
    """Check the seed, load the model, complete, write."""
    check(parameters)
    from serenity.model import checkpoint
    from serenity.model.sampling import Sampling
    from serenity.music import codec, instruments, midi_file

    sampling = Sampling(parameters.temperature, top_k(parameters))
    score = midi_file.read(parameters.song)
    settings, vocabulary = checkpoint.read_settings(parameters.model)
    try:
        choice = instruments.choose(score, settings.codec.category)
    except InputError as error:
        raise InputError(f"{parameters.song}: {error}") from None
    seed = codec.encode(choice.notes, settings.codec)
    events = seed.events[:parameters.prompt_events]
    tokens, known = vocabulary.encode(events)
    report(parameters, choice, seed, known)

    from tqdm import tqdm

    from serenity.model.generation import complete
    from serenity.tokens.windows import stream

    model = checkpoint.load(parameters.model)
    whole = stream(tokens, 0, len(tokens) + 1)  # with START, without END
    with tqdm(total=parameters.events, unit=" events", disable=None, leave=False) as bar:
        continuations = complete(model, whole, parameters.events, sampling, parameters.seed, parameters.variations,
                                 progress=lambda done: bar.update())
    if sampling.top_k == 1 and loops(continuations[0]):
        print("note: the likeliest events repeat themselves here; --top-k 16 lets chance in")
    last_onset = float(events["step"].sum())
    kept = choice.tracks
    if len(events) < len(seed.events):
        kept = cut(kept, last_onset + settings.codec.time_step)
    for number, continuation in enumerate(continuations, 1):
        notes = codec.decode(vocabulary.decode(continuation, events.dtype), seed.transposition)
        notes["onset"] += last_onset
        write(out_path(parameters, number), score, kept, notes, parameters.picture)


def check(parameters: Parameters) -> None:
    """Refuse what cannot work before anything is read. Raises InputError."""
    for name, highest in (("events", LONGEST), ("variations", 1000), ("prompt_events", LONGEST)):
        value = getattr(parameters, name)
        if value is not None and not 1 <= value <= highest:
            raise InputError(f"--{name.replace('_', '-')} {value}, wanted 1 to {highest:,}")
    if parameters.seed < 0:
        raise InputError(f"--seed {parameters.seed}, wanted 0 or more")
    if parameters.variations > 1 and top_k(parameters) == 1:
        raise InputError(f"--variations {parameters.variations} with --top-k 1 are all the same song; "
                         "wanted --top-k 2 or more")
    out = out_path(parameters, 1)
    if out.suffix.lower() not in (".mid", ".midi"):
        raise InputError(f"{out}: wanted a name that ends in .mid")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is no folder; wanted one to write {out.name} into")
    if out.is_dir():
        raise InputError(f"{out} is a folder; wanted a file's name")
    if out.exists() and parameters.song.exists() and out.samefile(parameters.song):
        raise InputError(f"{out} is the seed itself; wanted another name for the song")


def top_k(parameters: Parameters) -> int:
    """Return among how many to choose: the likeliest alone, unless told otherwise; the example shows more than that."""
    if parameters.top_k is None:
        return 16 if parameters.song == config.EXAMPLE_SEED else 1
    return parameters.top_k


def loops(tokens) -> bool:
    """Return whether a continuation (events, 4) comes down to a few chords: real songs have 35 in 100 events."""
    import numpy as np

    from serenity.tokens.vocabulary import ATTRIBUTES

    chords = tokens[-100:, ATTRIBUTES.index("pitch")]
    return len(np.unique(chords)) < 0.1 * len(chords)


def out_path(parameters: Parameters, number: int) -> Path:
    """Return where variation `number`, counted from 1, is written."""
    out = parameters.out or Path(f"{parameters.song.stem}-serenity.mid")
    return out if parameters.variations == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")


def report(parameters: Parameters, choice, seed, known) -> None:
    """Say what was read from the seed."""
    from serenity.tokens.vocabulary import ATTRIBUTES

    unknown = [f"{int((~column).sum())} {attribute}" for attribute, column in zip(ATTRIBUTES, known.T)
               if not column.all()]
    print(f"seed: {parameters.song}: {choice.reason}; {len(choice.notes)} notes, {choice.dropped} left out; "
          f"{seed.key}; {len(known)} of {len(seed.events)} events as prompt")
    if unknown:
        print(f"seed: values that the model does not know became their nearest: {', '.join(unknown)} "
              f"of {len(known)}")


def cut(tracks, end: float) -> tuple:
    """Return the tracks without what begins at `end`, seconds, or later."""
    import numpy as np

    return tuple(replace(track, notes=track.notes[track.notes["onset"] < end],
                         pedals=np.minimum(track.pedals[track.pedals[:, 0] < end], end)) for track in tracks)


def write(out: Path, score, seed_tracks: tuple, notes, picture: bool) -> None:
    """Write the seed's tracks as they were and the continuation as a track of its own, on the seed's tempo map."""
    from serenity.music import midi_file
    from serenity.music.note import end_time, merge_tables

    continuation = midi_file.Track("continuation", seed_tracks[0].program, False, notes)
    midi_file.write(out, [*seed_tracks, continuation], score.tempos, score.time_signatures, score.ticks_per_quarter)
    print(f"{out}: {len(notes)} new notes, {end_time(notes):.0f} s with the seed")
    if picture:
        from serenity.listen import piano_roll

        piano_roll.save(out.with_suffix(".png"), merge_tables([*(track.notes for track in seed_tracks), notes]),
                        split=float(notes["onset"][0]), title=out.stem)


if __name__ == "__main__":
    run(main, Parameters)
