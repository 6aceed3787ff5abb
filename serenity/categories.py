"""The instruments that Serenity learns. To add one, add a row, and say so in README.

Source of the programs: General MIDI System Level 1, sound set; programs are counted from 0 here, as they are in a file.
"""

from dataclasses import dataclass
from typing import Literal

from serenity.errors import SettingError

KEYS = range(0, 8)  # grand pianos, electric pianos, harpsichord, clavinet
CHROMATIC_PERCUSSION = range(8, 16)  # celesta, glockenspiel, vibraphone ... dulcimer
ORGANS = range(16, 24)
HARP = range(46, 47)
STRING_ENSEMBLES = range(48, 52)
FIDDLE = range(110, 111)
PADS = range(88, 96)


@dataclass(frozen=True)
class Category:
    """An instrument that Serenity learns. Pitches are MIDI note numbers (60 is c4)."""

    name: str
    centre: int  # the middle of a normalised song
    lowest: int  # notes outside of lowest..highest are brought into it by octaves, so it spans one at least
    highest: int
    hands: int  # that hold a chord,
    reach: int  # and the semitones that each of them spans
    programs: tuple[range, ...]  # General MIDI programs that are this instrument
    similar: tuple[range, ...]  # General MIDI programs that stand in for it
    words: tuple[str, ...]  # words of a track's name that say this instrument: lower case, without accents
    stems: tuple[str, ...]  # the same, and also inside of longer words ("pianoleft", "violini")


_CATEGORIES = (
    Category(
        "piano", 60, 21, 108,  # a0 to c8: the 88 keys
        hands=2, reach=16,  # a tenth
        programs=(KEYS,), similar=(CHROMATIC_PERCUSSION, ORGANS, HARP, STRING_ENSEMBLES, PADS),
        words=("pno", "pf", "pft", "epno", "keys", "grand", "rhodes", "zongora"),
        stems=("piano", "fortepian", "klavier", "flugel", "keyboard", "clavier", "clavinet", "clavecin", "clavichord",
               "cembalo", "harpsichord", "klavir", "teclado", "tastiera", "steinway", "wurlitzer",
               "рояль", "пианино", "фортепиано", "клавесин", "钢琴", "鋼琴", "ピアノ", "피아노"),
    ),
    Category(
        "violin", 76, 55, 103,  # from its lowest string, g3, to g7
        hands=1, reach=28,  # over four strings in fifths, and a fifth up the highest
        programs=(range(40, 41),), similar=(FIDDLE, STRING_ENSEMBLES),
        words=("vl", "vln", "vlns", "vn", "geige", "geigen"),
        stems=("violin", "violon", "viool", "fiddle", "скрипк", "小提琴", "バイオリン", "ヴァイオリン", "바이올린"),
    ),
    Category(
        "viola", 64, 48, 91,  # from its lowest string, c3, to g6
        hands=1, reach=28,
        programs=(range(41, 42),), similar=(STRING_ENSEMBLES,),
        words=("vla", "vlas", "viole", "альт", "альты"),
        stems=("viola", "bratsche", "altviool", "中提琴", "ヴィオラ", "비올라"),
    ),
    Category(
        "cello", 48, 36, 81,  # from its lowest string, c2, to a5
        hands=1, reach=26,  # a fourth up the highest
        programs=(range(42, 43),), similar=(range(43, 44), STRING_ENSEMBLES),
        words=("vc", "vcl", "vlc", "celli"),
        stems=("cello", "violoncel", "виолончел", "大提琴", "チェロ", "첼로"),
    ),
)
CATEGORIES = {category.name: category for category in _CATEGORIES}
CategoryName = Literal[*CATEGORIES]


def category_named(name: str) -> Category:
    """Return a row of CATEGORIES; InputError for a name that has none."""
    if name not in CATEGORIES:
        raise SettingError(f"category '{name}' is unknown; wanted one of {', '.join(CATEGORIES)}")
    return CATEGORIES[name]
