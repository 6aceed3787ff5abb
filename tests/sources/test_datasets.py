"""The known sets, each from a small archive of its layout; and the corpus."""

import hashlib
import io
import zipfile
from dataclasses import replace

import pytest

from serenity.errors import InputError
from serenity.notation import form_of
from serenity.sources import archive, datasets
from serenity.sources.datasets import CORPUS, SETS
from serenity.sources.manifest import Collection, read
from serenity.sources.visitor import Manners, Visitor
from tests.sources.site import mxl, served, song, tarred, validated, zipped

LIMITS = archive.Limits(song=2**20)

TUNE = "X:{0}\nT:Tune {0}\nM:4/4\nL:1/4\nK:C\n\"C\"CDEF|\"G\"GABc|"
TUNES = [f"{TUNE.format(number)}{'c' * number}|\n\n" for number in range(3)]
MAESTRO = """canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration
Frédéric Chopin,"Étude, Op. 10",train,2018,2018/one.midi,2018/one.wav,60.5
Frédéric Chopin,"Étude, Op. 10",train,2018,2018/two.midi,2018/two.wav,61.5
"""

# set -> its archive, and what is to be found: path in the collection -> (group, licence)
LAYOUTS = {
    "maestro": (zipped({
        "maestro-v3.0.0/maestro-v3.0.0.csv": MAESTRO, "maestro-v3.0.0/LICENSE": "CC BY-NC-SA 4.0",
        "maestro-v3.0.0/2018/one.midi": song(1), "maestro-v3.0.0/2018/two.midi": song(2),
    }), {f"maestro/2018/{name}.midi": ("maestro/Frédéric Chopin - Étude, Op. 10", "CC-BY-NC-SA-4.0")
         for name in ("one", "two")}),
    "pop909": (zipped({
        "POP909-Dataset-d83e6ed/LICENSE": "MIT License", "POP909-Dataset-d83e6ed/POP909/001/001.mid": song(1),
        "POP909-Dataset-d83e6ed/POP909/001/versions/001-v1.mid": song(2),
        "POP909-Dataset-d83e6ed/POP909/002/002.mid": song(3), "POP909-Dataset-d83e6ed/other/x.mid": song(4),
    }), {"pop909/001/001.mid": ("pop909/001", "MIT"), "pop909/001/versions/001-v1.mid": ("pop909/001", "MIT"),
         "pop909/002/002.mid": ("pop909/002", "MIT")}),
    "nmd": (zipped({"nottingham_database/jigs.abc": f"% head\n\n{TUNES[1]}{TUNES[2]}",
                    "nottingham_database/xmas.abc": TUNES[0], "nottingham_database/readme.txt": "x"}),
            {"nmd/jigs.abc": ("nmd/jigs", None), "nmd/xmas.abc": ("nmd/xmas", None)}),
    "lieder": (zipped({"Lieder-40d212c/scores/Abt,_Franz/_/Ave/lc1.mxl": mxl("a"),
                       "Lieder-40d212c/scores/Abt,_Franz/_/Ave/lc1.mscx": "x"}),
               {"lieder/Abt,_Franz/_/Ave/lc1.mxl": ("lieder/Abt,_Franz/_/Ave/lc1", "CC0-1.0")}),
    "openewld": (zipped({"OpenEWLD-9bbb6d2/dataset/Somebody/Song/Song.mxl": mxl("b")}),
                 {"openewld/Somebody/Song/Song.mxl": ("openewld/Somebody/Song", "MIT")}),
    "musedata": (zipped({f"MuseData/{split}/bach.mid": song(split) for split in ("train", "valid", "test")}),
                 {f"musedata/{split}/bach.mid": (f"musedata/{split}/bach", None)
                  for split in ("train", "valid", "test")}),
    "lakh": (tarred({"lmd_full/0/00ab.mid": song(1), "lmd_full/f/ffab.mid": song(2)}),
             {"lakh/0/00ab.mid": ("lakh/0/00ab", None), "lakh/f/ffab.mid": ("lakh/f/ffab", None)}),
    "adl": (zipped({"adl-piano-midi/Pop/Soft Rock/Somebody/A Song.mid": song(1)}),
            {"adl/Pop/Soft Rock/Somebody/A Song.mid": ("adl/Pop/Soft Rock/Somebody/A Song", None)}),
    "emopia": (zipped({
        "EMOPIA_2.2/midis/Q1_0vLPYiPN7qY_0.mid": song(1), "EMOPIA_2.2/midis/Q3_0vLPYiPN7qY_2.mid": song(2),
        "EMOPIA_2.2/midis/Q1_0v_PYi-N7q__0.mid": song(3), "EMOPIA_2.2/label.csv": "x"}),
               {"emopia/Q1_0vLPYiPN7qY_0.mid": ("emopia/0vLPYiPN7qY", None),
                "emopia/Q3_0vLPYiPN7qY_2.mid": ("emopia/0vLPYiPN7qY", None),
                "emopia/Q1_0v_PYi-N7q__0.mid": ("emopia/0v_PYi-N7q_", None)}),
    "pop1k7": (zipped({"Pop1K7/midi_analyzed/src_001/0.mid": song(1), "Pop1K7/midi_transcribed/src_001/0.midi": song(2),
                       "Pop1K7/midi_analyzed/src_002/0.mid": song(3)}),
               {"pop1k7/midi_analyzed/src_001/0.mid": ("pop1k7/src_001/0", None),
                "pop1k7/midi_transcribed/src_001/0.midi": ("pop1k7/src_001/0", None),
                "pop1k7/midi_analyzed/src_002/0.mid": ("pop1k7/src_002/0", None)}),
}


@pytest.fixture
def take(tmp_path, monkeypatch):
    """Return a function that takes a set from the test site: finds, and what the site was asked."""
    with served() as site:
        def take(name, content, checksum="right", dry_run=False):
            kind = "md5" if SETS[name].checksum and len(SETS[name].checksum) == 32 else "sha256"
            right = hashlib.new(kind, content).hexdigest() if checksum == "right" else checksum
            monkeypatch.setitem(SETS, name, replace(SETS[name], url=f"{site.root}/set.zip", checksum=right))
            site.answers = {"/set.zip": validated(content), "/robots.txt": b"User-agent: *\nDisallow: /"}
            collection = Collection(tmp_path / "midi", 10**6, dry_run=dry_run)
            visitor, warnings = Visitor(Manners("SerenityTest/1", 0.0, 5.0, True)), []
            finds = datasets.finds(name, visitor, collection, archive.Limits(song=10**6), 10**7, warnings.append)
            return [collection.keep(find)[0] for find in finds], [request.path for request in site.asked], warnings

        yield take


def stored(tmp_path):
    return {record["stored"]: record for record in read(tmp_path / "midi") if record["stored"]}


def test_every_set_has_a_layout_here():
    assert set(LAYOUTS) == set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_the_songs_of_a_set_are_found_named_grouped_and_licensed(name, take, tmp_path):
    content, expected = LAYOUTS[name]
    decisions, asked, warnings = take(name, content)
    assert decisions == ["stored"] * len(expected) + ["unpacked"]
    assert (asked, warnings) == (["/set.zip"], [])
    records = stored(tmp_path)
    assert {path: (record["group"], record["licence"]) for path, record in records.items()} == expected
    assert all(record["evidence"] for record in records.values())
    assert take(name, content)[:2] == (["known"], ["/set.zip"])  # with a checksum nobody needs to ask again


def test_maestros_table_is_kept(take, tmp_path):
    take("maestro", LAYOUTS["maestro"][0])
    record = stored(tmp_path)["maestro/2018/two.midi"]
    assert record["title"] == "Frédéric Chopin - Étude, Op. 10"
    assert record["metadata"] == {"canonical_composer": "Frédéric Chopin", "canonical_title": "Étude, Op. 10",
                                  "split": "train", "year": "2018", "midi_filename": "2018/two.midi",
                                  "audio_filename": "2018/two.wav", "duration": "61.5"}


@pytest.mark.parametrize("name", ["maestro", "lakh"])
def test_a_wrong_checksum_is_an_error(name, take, tmp_path):
    with pytest.raises(InputError, match="wrong checksum"):
        take(name, LAYOUTS[name][0], checksum=SETS[name].checksum)
    assert not (tmp_path / "midi").exists()


def test_an_absent_checksum_is_a_warning_and_a_second_run_asks_whether_it_changed(take):
    decisions, _, [warning] = take("pop909", LAYOUTS["pop909"][0], checksum=None)
    assert decisions.count("stored") == 3
    assert hashlib.sha256(LAYOUTS["pop909"][0]).hexdigest() in warning
    assert take("pop909", LAYOUTS["pop909"][0], checksum=None)[:2] == (["known"], ["/set.zip"] * 2)


def test_a_licence_file_speaks_where_the_table_does_not_know(take, tmp_path):
    content = io.BytesIO(LAYOUTS["musedata"][0])
    with zipfile.ZipFile(content, "a") as file:
        file.writestr("MuseData/LICENSE", "MIT License")
    take("musedata", content.getvalue())
    assert {record["licence"] for record in stored(tmp_path).values()} == {"MIT"}


def test_a_dry_run_asks_for_nothing(take, tmp_path):
    assert take("maestro", b"", dry_run=True)[:2] == (["offered"], [])


@pytest.mark.parametrize("name", SETS)
def test_what_the_table_says_is_whole(name):
    known = SETS[name]
    assert known.url.startswith(("https://", "http://"))
    assert known.what and known.evidence and known.citation
    assert known.checksum is None or len(known.checksum) in (32, 64)
    assert all(part in datasets.table() for part in (name, known.url, known.citation))


def test_an_unknown_part_is_said():
    with pytest.raises(InputError, match="wanted corpus or corpus/ and one of bach"):
        datasets.corpus("corpus/nobody", LIMITS)


def test_essen_comes_only_by_its_name():
    assert 1500 < datasets.corpus("corpus", LIMITS)[0] < 2000
    assert datasets.corpus("corpus/essenFolksong", LIMITS)[0] == 31


def test_the_corpus_is_scores_with_the_packages_licence_and_what_they_say_themselves():
    number, finds = datasets.corpus("corpus", LIMITS, 40)
    finds = list(finds)
    assert len(finds) == number == 40 and len({find.name.split("/")[1] for find in finds}) > 10  # well spread
    for find in finds:
        assert find.origin == f"music21:{find.name.removeprefix('corpus/')}" and form_of(find.content)
        assert find.licence == datasets.LICENCE and find.evidence.startswith("music21/corpus/license.txt")


def test_of_a_score_in_several_formats_the_surest_is_taken(tmp_path):
    for name in ("part/a.krn", "part/a.mxl", "part/b.krn", "part/notes.txt", "part/deeper/a.abc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {entry.name for entry in datasets.scores_below(tmp_path, "part")} == {
        "part/a.mxl", "part/b.krn", "part/deeper/a.abc"}


def test_the_order_is_spread_over_the_lists_and_fixed():
    lists = [[archive.Entry(f"{part}{number}", 0, bytes) for number in range(count)]
             for part, count in (("a", 9), ("b", 3))]
    order = [entry.name for entry in datasets.spread(lists)]
    assert order == [entry.name for entry in datasets.spread([list(reversed(entries)) for entries in lists])]
    assert sorted(order) == sorted(entry.name for entries in lists for entry in entries)
    assert [name[0] for name in order] == list("ababab") + ["a"] * 6


def test_every_part_is_there_and_in_the_table():
    table = datasets.table()
    for part in CORPUS:
        assert datasets.corpus(f"corpus/{part}", LIMITS)[0] > 0
        assert part in table
