"""The sets that are known by name.

`corpus` is made from the scores that ship inside the music21 package, so it needs no network. A set's part is named
with a slash: corpus/bach. Each score, and each tune of a file with many, becomes one MIDI file.
"""

import hashlib
import multiprocessing
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice, zip_longest
from pathlib import Path, PurePosixPath

from serenity.errors import InputError
from serenity.sources.manifest import KNOWN, REFUSED, Find


@dataclass(frozen=True)
class Part:
    """A folder of music21's corpus."""

    what: str
    licence: str | None = None  # where the package says it of the whole folder; null: see its corpus/license.txt
    by_default: bool = True  # whether `corpus` alone means it too


SETS = {
    "corpus": {
        "bach": Part("chorales and some movements, four voices"),
        "ryansMammoth": Part("Ryan's Mammoth Collection: fiddle tunes"),
        "oneills1850": Part("O'Neill's Music of Ireland: tunes"),
        "airdsAirs": Part("Aird's Airs: tunes of the 18th century"),
        "miscFolk": Part("fife and Northumbrian tunes"),
        "nottingham-dataset": Part("two tunes of NMD, with chords"),
        "leadSheet": Part("lead sheets, melody and chords"),
        "haydn": Part("movements of string quartets"),
        "mozart": Part("movements of string quartets and sonatas"),
        "beethoven": Part("movements of string quartets"),
        "schumann_robert": Part("songs and piano"),
        "schumann_clara": Part("songs and piano"),
        "joplin": Part("Maple Leaf Rag"),
        "johnson_j_r": Part("Lift Every Voice and Sing"),
        "chopin": Part("a mazurka"),
        "schubert": Part("a song"),
        "beach": Part("a song"),
        "liliuokalani": Part("Aloha Oe"),
        "essenFolksong": Part("8,514 folk songs, one voice", "non-commercial use (essenFolksong)", False),
    },
}
LICENCE = "by permission of the encoders (music21 corpus)"
EVIDENCE = "music21/corpus/license.txt"
LARGEST_SCORE = 32 * 1024  # bytes packed; music21 takes up to minutes for what is longer, such as whole string quartets
ENDINGS = (".mxl", ".musicxml", ".xml", ".krn", ".abc")  # of one score in several formats the first is taken
TUNE = re.compile(r"^(?=X:)", re.MULTILINE)  # where a tune begins in a file of ABC notation


@dataclass(frozen=True)
class Score:
    """A score in the package, or one tune of a file of many."""

    path: Path
    name: PurePosixPath  # below the corpus, without ending
    origin: str
    licence: str
    abc: str | None = None  # the tune's text; None: the whole file


def table() -> str:
    """Return the known sets and their parts, for people: name, what, licence."""
    lines = ["corpus: the scores of the music21 package as MIDI; needs no network. One part alone: corpus/NAME"]
    for name, part in SETS["corpus"].items():
        licence = part.licence or LICENCE
        lines.append(f"  {name:20}{part.what:42}{licence}{'' if part.by_default else '; only by its name'}")
    return "\n".join(lines)


def finds(source: str, knows: Callable[[str], bool], most: int | None = None,
          workers: int | None = None) -> tuple[int, Iterator[Find]]:
    """Return the number and the finds of `corpus` or `corpus/PART`, the first `most` in a well-spread fixed order.

    What `knows` says yes to is not converted again. Raises InputError for an unknown part, or without music21.
    """
    name, _, part = source.partition("/")
    parts = SETS[name]
    if part and part not in parts:
        raise InputError(f"{source} is no known set; wanted {name} or {name}/ and one of {', '.join(parts)}")
    if not (package := find_spec("music21")):
        raise InputError(f"{source} needs the package music21; install.sh installs it")
    root = Path(package.origin).parent / "corpus"
    chosen = {part: parts[part]} if part else {key: value for key, value in parts.items() if value.by_default}
    scores = list(islice(spread([scores_in(root, key, value) for key, value in chosen.items()]), most))
    return len(scores), _converted(source, scores, knows, workers)


def scores_in(root: Path, folder: str, part: Part) -> list[Score]:
    """Return the scores and tunes below a folder of the corpus."""
    files = [path for ending in ENDINGS for path in sorted((root / folder).rglob(f"*{ending}"))
             if ending != ".mxl" or path.stat().st_size <= LARGEST_SCORE]
    first = {}
    for path in files:
        first.setdefault(path.with_suffix(""), path)
    scores = []
    for path in first.values():
        name = PurePosixPath(path.relative_to(root).with_suffix("").as_posix())
        origin, licence = f"music21:{path.relative_to(root).as_posix()}", part.licence or LICENCE
        tunes = TUNE.split(_text(path))[1:] if path.suffix == ".abc" else []
        if len(tunes) < 2:
            scores.append(Score(path, name, origin, licence))
        for number, tune in enumerate(tunes if len(tunes) > 1 else [], start=1):
            title = " ".join(_field(tune, "T").split())
            scores.append(Score(path, name / f"{number:04} {title}".strip(), f"{origin}#{number}", licence, tune))
    return scores


def spread(lists: list[list[Score]]) -> Iterator[Score]:
    """Yield all scores, one of each list in turn, those of one list in an order that is fixed but looks random."""
    mixed = [sorted(scores, key=lambda score: hashlib.sha256(score.origin.encode()).digest()) for scores in lists]
    return (score for row in zip_longest(*mixed) for score in row if score)


def _converted(source: str, scores: list[Score], knows: Callable[[str], bool], workers: int | None) -> Iterator[Find]:
    new = []
    for score in scores:
        if knows(score.origin):
            yield Find(source, score.origin, decision=KNOWN)
        else:
            new.append(score)
    if not new:
        return
    # "spawn", because a forked child of a process with threads may hang, and it is what every platform has
    processes = min(workers or multiprocessing.cpu_count(), len(new))
    with multiprocessing.get_context("spawn").Pool(processes, _leave_interrupts_to_the_parent) as pool:
        for score, (content, title, evidence, reason) in zip(new, pool.imap(convert, new)):
            yield Find(source, score.origin, f"corpus/{score.name}.mid", content, score.licence, evidence, title,
                       decision=REFUSED if reason else None, reason=reason)


def _leave_interrupts_to_the_parent() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def convert(score: Score) -> tuple[bytes, str, str, str | None]:
    """Return a score as MIDI, its title, the evidence of its licence, and why it cannot be converted, or None."""
    import contextlib
    import os
    import warnings

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from music21 import converter, midi, repeat

        try:
            stream = (converter.parse(score.abc, format="abc") if score.abc
                      else converter.parse(score.path, forceSource=True, storePickle=False))
            try:
                content = midi.translate.music21ObjectToMidiFile(stream).writestr()
            except repeat.ExpanderException:  # repeats that do not pair: the score is played through once
                _without_repeats(stream)
                content = midi.translate.music21ObjectToMidiFile(stream).writestr()
        except Exception as error:  # music21 raises all kinds on scores that it does not understand
            return b"", "", "", f"music21 cannot convert it: {type(error).__name__}: {error}"
    about, abc = stream.metadata, score.abc or (_text(score.path) if score.path.suffix == ".abc" else "")
    title = _field(abc, "T") or " - ".join(filter(None, (about.composer, about.title or score.name.name)))
    return content, title, "; ".join(filter(None, (EVIDENCE, about.copyright, _field(abc, "Z")))), None


def _without_repeats(stream) -> None:
    from music21 import repeat
    from music21 import stream as streams

    for measure in stream.recurse().getElementsByClass(streams.Measure):
        measure.removeByClass(repeat.RepeatMark)
        if isinstance(measure.leftBarline, repeat.RepeatMark):
            measure.leftBarline = None
        if isinstance(measure.rightBarline, repeat.RepeatMark):
            measure.rightBarline = None


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _field(abc: str, letter: str) -> str:
    match = re.search(rf"^{letter}:[ \t]*(.*\S)", abc, re.MULTILINE)
    return match[1].strip('"') if match else ""
