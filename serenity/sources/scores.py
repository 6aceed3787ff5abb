"""Scores and lead sheets as MIDI, through music21: files that it reads, and tunes in ABC notation.

music21 takes about a second to import, and from milliseconds to minutes for a score; so processes of their own do it.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from serenity.parallel import in_parallel
from serenity.sources.manifest import KNOWN, REFUSED, Find

TUNE = re.compile(r"^(?=X:)", re.MULTILINE)  # where a tune begins in a file of ABC notation
LARGEST_SCORE = 32 * 1024  # bytes packed; music21 takes up to minutes for what is longer, such as whole string quartets
ENDINGS = (".mxl", ".musicxml", ".xml", ".krn", ".abc")  # of one score in several formats the first is taken


@dataclass(frozen=True)
class Score:
    """A score in a file, or one tune in ABC notation."""

    name: PurePosixPath  # below the collection, without ending
    origin: str
    path: Path | None = None  # of the file
    abc: str | None = None  # or the tune's text
    licence: str | None = None
    evidence: str | None = None


def tunes(text: str, name: PurePosixPath, origin: str, **more) -> list[Score]:
    """Return a file of ABC notation as scores, one a tune; `more` goes into each."""
    parts = TUNE.split(text)[1:]
    if len(parts) == 1:
        return [Score(name, origin, abc=parts[0], **more)]
    return [Score(name / f"{number:04} {' '.join(_field(tune, 'T').split())}".strip(), f"{origin}#{number}", abc=tune,
                  **more) for number, tune in enumerate(parts, start=1)]


def scores_below(folder: Path, root: Path, label: PurePosixPath, **more) -> list[Score]:
    """Return the scores and tunes in all files below a folder; their origin is music21:PATH from the root on."""
    files = [path for ending in ENDINGS for path in sorted(folder.rglob(f"*{ending}"))
             if ending != ".mxl" or path.stat().st_size <= LARGEST_SCORE]
    first = {}
    for path in files:
        first.setdefault(path.with_suffix(""), path)
    scores = []
    for path in first.values():
        name = label / PurePosixPath(path.relative_to(root).with_suffix("").as_posix())
        origin = f"music21:{path.relative_to(root).as_posix()}"
        scores += (tunes(text_of(path.read_bytes()), name, origin, **more) if path.suffix == ".abc"
                   else [Score(name, origin, path, **more)])
    return scores


def spread(lists: list[list[Score]]) -> Iterator[Score]:
    """Yield all scores, one of each list in turn, those of one list in an order that is fixed but looks random."""
    mixed = [sorted(scores, key=lambda score: hashlib.sha256(score.origin.encode()).digest()) for scores in lists]
    return (score for row in zip_longest(*mixed) for score in row if score)


def converted(source: str, scores: list[Score], knows: Callable[[str], bool], workers: int | None) -> Iterator[Find]:
    """Yield each score as MIDI; what `knows` says yes to is not converted again. `workers`: processes; None: all cores.

    Evidence of the licence is what the score says beside what its source says.
    """
    new = []
    for score in scores:
        if knows(score.origin):
            yield Find(source, score.origin, decision=KNOWN)
        else:
            new.append(score)
    for score, (content, title, credit, reason) in zip(new, in_parallel(convert, new, workers)):
        evidence = "; ".join(filter(None, (score.evidence, credit))) or None
        yield Find(source, score.origin, f"{score.name}.mid", content, score.licence, evidence, title,
                   decision=REFUSED if reason else None, reason=reason)


def convert(score: Score) -> tuple[bytes, str, str, str | None]:
    """Return a score as MIDI, its title, its credit line, and why it cannot be converted, or None."""
    import contextlib
    import os
    import warnings

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from music21 import converter, harmony, midi, repeat

        try:
            stream = (converter.parse(score.abc, format="abc") if score.abc
                      else converter.parse(score.path, forceSource=True, storePickle=False))
            harmony.realizeChordSymbolDurations(stream)  # a lead sheet's chord sounds until the next one
            try:
                content = midi.translate.music21ObjectToMidiFile(stream).writestr()
            except repeat.ExpanderException:  # repeats that do not pair: the score is played through once
                _without_repeats(stream)
                content = midi.translate.music21ObjectToMidiFile(stream).writestr()
        except Exception as error:  # music21 raises all kinds on scores that it does not understand
            return b"", "", "", f"music21 cannot convert it: {type(error).__name__}: {error}"
    about, abc = stream.metadata, score.abc or ""
    title = _field(abc, "T") or " - ".join(filter(None, (about.composer, about.title or score.name.name)))
    return content, title, "; ".join(filter(None, (about.copyright, _field(abc, "Z")))), None


def _without_repeats(stream) -> None:
    from music21 import repeat
    from music21 import stream as streams

    for measure in stream.recurse().getElementsByClass(streams.Measure):
        measure.removeByClass(repeat.RepeatMark)
        if isinstance(measure.leftBarline, repeat.RepeatMark):
            measure.leftBarline = None
        if isinstance(measure.rightBarline, repeat.RepeatMark):
            measure.rightBarline = None


def text_of(content: bytes) -> str:
    """Return a text of unknown encoding: UTF-8, or else Latin-1, which old files of ABC notation are in."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _field(abc: str, letter: str) -> str:
    match = re.search(rf"^{letter}:[ \t]*(.*\S)", abc, re.MULTILINE)
    return match[1].strip('"') if match else ""
