"""What a score is: told by its content."""

import io
import zipfile

import pytest

from serenity.errors import InputError
from serenity.notation import ABC, KERN, MUSICXML, START, form_of, is_notation_name, labels, sheets

XML = """<?xml version="1.0"?><score-partwise version="3.1">
  <work><work-title>Der  Kuss</work-title></work>
  <identification><creator type="composer">Brahms</creator><creator type="lyricist">Hölty</creator>
    <rights>CC0</rights></identification>
  <part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>
  <part id="P1"><measure number="1">%s</measure></part></score-partwise>"""
NOTE = ("<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration><lyric><text>la</text></lyric>"
        "</note>")
TUNE = "X:1\nT:A tune\nZ:written by a person\nM:4/4\nL:1/4\nK:C\nCDEF|\n"
CONTAINER = "<container><rootfiles><rootfile full-path='%s'/></rootfiles></container>"
KERN_PIECE = "!!!COM: Chopin\n!!!OTL@EN: A piece\n!!!YEC: (c) somebody\n**kern\n*M4/4\n=1\n4c\n4d\n*-\n"
SERENITY = "serenity-abc 2\nsource: a.mid\nkey: c major\n\n| 1\nc4 0 1 80\n"


def packed(**files: str) -> bytes:
    """Return a zip; __ in a name stands for / and _ for a point."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), text)
    return buffer.getvalue()


def mxl(xml: str, container: str = CONTAINER % "a.xml", name: str = "a_xml") -> bytes:
    return packed(**{"META-INF__container_xml": container, name: xml})


@pytest.mark.parametrize(("data", "title", "credit"), [
    ((XML % NOTE).encode(), "Brahms - Der Kuss", "CC0"), (mxl(XML % NOTE), "Brahms - Der Kuss", "CC0"),
    ((XML % NOTE)[:-30].encode(), "Brahms - Der Kuss", "CC0"),  # cut off behind its head
    (b"<score-partwise", "", ""), (b"<score-partwise ><work>", "", ""),
    (TUNE.encode(), "A tune", "written by a person"), (f"{TUNE}\n{TUNE}".encode(), "", ""),
    (TUNE.replace("M:", "C: copyright: public domain\nM:").encode(), "A tune",
     "written by a person; copyright: public domain"),
    (KERN_PIECE.encode(), "Chopin - A piece", "(c) somebody"), (b"nothing", "", ""),
])
def test_title_and_credit_without_its_notes(data, title, credit):
    assert labels(data) == (title, credit)


@pytest.mark.parametrize(("data", "form"), [
    ((XML % NOTE).encode(), MUSICXML),
    ((XML % NOTE).encode("utf-16"), MUSICXML),
    (mxl(XML % NOTE), MUSICXML),
    (TUNE.encode(), ABC),
    (b"% a head\r\n\r\n" + TUNE.replace("\n", "\r\n").encode(), ABC),
    (b"%" * 9000 + b"\n" + TUNE.encode(), ABC),  # OpenHymnal's files begin with two pages of comments
    (KERN_PIECE.encode(), KERN),
    (f"<html><pre>{TUNE}</pre>".encode(), None),  # a page that shows a tune
    (SERENITY.encode(), None),                   # Serenity's own abc text
    (b"<?xml version='1.0'?><rss><channel/></rss>", None),
    (packed(a_mid="MThd"), None),
    (b"PK and no zip", None),
    (b"MThd\0\0\0\6", None),
    (b"", None),
])
def test_the_content_says_what_a_file_is(data, form):
    assert form_of(data) == form


def test_names():
    assert all(map(is_notation_name, ("a.mxl", "b/A.MusicXML", "c.xml", "d.abc")))
    assert not any(map(is_notation_name, ("a.mid", "a.mxl.mid", "abc")))


def test_a_document_tells_its_title_and_owner_and_loses_what_cannot_be_heard():
    [sheet] = sheets((XML % NOTE).encode())
    assert (sheet.form, sheet.title, sheet.credit) == (MUSICXML, "Brahms - Der Kuss", "CC0")
    assert "<step>C</step>" in sheet.text
    assert "lyric>" not in sheet.text


def test_a_cue_is_silent_and_a_grace_note_has_no_slash_that_is_not_written():
    cue = NOTE.replace("<note>", "<note><cue/>")
    grace = NOTE.replace("<note>", "<note><grace/>").replace("<duration>1</duration>", "")
    [sheet] = sheets((XML % (cue + cue.replace("<cue/>", "<cue/><chord/>") + grace)).encode())
    assert sheet.text.count("<note>") == 2
    assert sheet.text.count("<rest") == 1
    assert '<grace slash="no"' in sheet.text


@pytest.mark.parametrize("container", [
    CONTAINER % "a.xml", CONTAINER % "gone.xml",
    "<container><rootfiles><rootfile full-path='St. Mary's.xml'/></rootfiles></container>",  # as OpenEWLD has it
])
def test_the_score_in_an_mxl_is_found_also_where_its_container_is_broken(container):
    assert sheets(mxl(XML % NOTE, container))[0].title == "Brahms - Der Kuss"


@pytest.mark.parametrize(("data", "said"), [
    (b"hello", "is not a score"), ((XML % "<note>").encode(), "is broken MusicXML"),
    (mxl(XML % NOTE)[:-40], "is not a score"),
])
def test_what_is_no_score_is_said_in_a_line(data, said):
    with pytest.raises(InputError, match=said):
        sheets(data)


def test_a_score_that_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr("serenity.notation.LARGEST_XML", 100)
    with pytest.raises(InputError, match="unpacks to more than 100 bytes"):
        sheets(mxl(XML % NOTE))


def test_a_score_of_more_tags_than_memory_holds_is_refused(monkeypatch):
    monkeypatch.setattr("serenity.notation.MOST_TAGS", 20)
    with pytest.raises(InputError, match="holds 39 tags; wanted a score of at most 20"):
        sheets((XML % NOTE).encode())


def test_of_a_container_no_more_is_read_than_one_has(monkeypatch):
    monkeypatch.setattr("serenity.notation.LARGEST_CONTAINER", 100)
    assert form_of(mxl(XML % NOTE, " " * 1000 + CONTAINER % "a.xml")) == MUSICXML  # by its name


def test_each_tune_of_a_file_is_a_sheet_and_the_files_head_holds_for_all():
    [one] = sheets(TUNE.encode())
    assert (one.title, one.credit) == ("A tune", "written by a person")
    first, second = sheets(f"L:1/16\n\n{TUNE}\n\n{TUNE.replace('A tune', 'Zwölf')}".encode("latin-1"))
    assert (first.title, second.title) == ("A tune", "Zwölf")
    assert "L:1/16" in second.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_tune_in_any_encoding(encoding):
    for title in ("Über", "Marche légère"):
        [sheet] = sheets(TUNE.replace("A tune", title).encode(encoding))
        assert sheet.title == title


def test_the_start_of_a_text_may_end_inside_of_a_letter():
    long = TUNE + "%" * (START - len(TUNE) - 1) + "ü"
    assert len(long.encode()[:START].decode(errors="ignore")) == START - 1
    assert form_of(long.encode()) == ABC
