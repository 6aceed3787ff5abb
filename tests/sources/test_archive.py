"""Folders and archives, honest and hostile."""

import contextlib
import io
import os
import tarfile
import zipfile

import pytest

from serenity.errors import InputError
from serenity.sources import archive
from serenity.sources.archive import Limits
from tests.sources.site import mxl, score

SONG = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0"
LIMITS = Limits(song=10_000, entries=20, unpacked=2**20, ratio=100, small=50_000)
NO_FILES = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
MIT = b"MIT License\n\nCopyright (c) somebody"


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def make_tar(path, files):
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as file:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if content in NO_FILES:
                member.type, member.linkname, content = content, "../../target.mid", b""
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def make_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def make_old_zip(path, name: bytes):
    """Write a zip with one song whose name has these bytes, and no flag that says their encoding."""
    plain = "x" * (len(name) - 4) + ".mid"
    data = make_zip(path, {plain: SONG}).read_bytes()
    path.write_bytes(data.replace(plain.encode(), name))
    return path


KINDS = {"zip": (make_zip, "set.zip"), "tar": (make_tar, "set.tar"), "tar.gz": (make_tar, "set.tar.gz"),
         "tgz": (make_tar, "set.tgz"), "folder": (make_folder, "set")}


def found(path, **more):
    return list(archive.finds(path, "source", LIMITS, **more)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_songs_are_found_with_their_folders_and_licence(kind, tmp_path):
    make, name = KINDS[kind]
    path = make(tmp_path / name, {"in/LICENSE": MIT, "in/deep/A.MID": SONG, "b.midi": SONG, "c.kar": SONG,
                                  "d.txt": b"x", "in/deep/._A.MID": b"what macOS adds"})
    finds = {find.name: find for find in found(path)}
    assert set(finds) == {"set/in/deep/A.MID", "set/b.midi", "set/c.kar"}
    song = finds["set/in/deep/A.MID"]
    join = "/" if kind == "folder" else "#"
    assert (song.content, song.licence, song.origin) == (SONG, "MIT", f"{path}{join}in/deep/A.MID")
    assert song.evidence == f"{path}{join}in/LICENSE"
    assert finds["set/b.midi"].licence is None


SCORES = {"a.mxl": mxl("Packed"), "b.abc": b"X:1\nT:Tune\nC: copyright: public domain.\nK:C\nCDEF|\n",
          "c.xml": score("Plain", ""), "d.krn": b"!!!OTL: Piece\n**kern\n*M4/4\n4c\n*-\n",
          "feed.xml": b"<rss/>", "own.abc": b"serenity-abc 2\n", "broken.mxl": b"PK and no zip"}


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_found_with_what_they_say_and_what_is_none_by_its_content_is_passed_over(kind, tmp_path):
    make, name = KINDS[kind]
    finds = found(make(tmp_path / name, SCORES))
    rows = {find.origin[-5:]: (find.title, find.licence, find.evidence) for find in finds}
    assert rows == {"a.mxl": ("Packed", "CC0-1.0", "CC0"), "c.xml": ("Plain", None, None),
                    "b.abc": ("Tune", "public domain", "copyright: public domain."), "d.krn": ("Piece", None, None),
                    "n.mxl": (None, None, None)}


def test_a_single_file(tmp_path):
    path = make_folder(tmp_path, {"a.mid": SONG}) / "a.mid"
    assert [(find.name, find.origin) for find in found(path)] == [("a.mid", str(path))]


@pytest.mark.parametrize("name", ["../a.mid", "x/../../a.mid", "/a.mid", "C:\\a.mid", "..\\a.mid"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_paths_out_of_the_archive_are_refused(make, name, tmp_path):
    path = make(tmp_path / ("set.zip" if make is make_zip else "set.tar"), {name: SONG})
    assert [find.reason.partition(":")[0] for find in found(path)] == ["path out of the archive"]


@pytest.mark.parametrize(("kind", "reason"), [
    (tarfile.SYMTYPE, "link in an archive"), (tarfile.LNKTYPE, "link in an archive"),
    (tarfile.CHRTYPE, "device"), (tarfile.FIFOTYPE, "device"),
])
def test_links_and_devices_in_a_tar_are_refused(kind, reason, tmp_path):
    assert [find.reason for find in found(make_tar(tmp_path / "set.tar", {"a.mid": kind}))] == [reason]


def test_links_in_a_zip_are_refused(tmp_path):
    link = zipfile.ZipInfo("a.mid")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(link, "../../target.mid")
    assert [find.reason for find in found(tmp_path / "set.zip")] == ["link in an archive"]


@pytest.mark.parametrize("kind", KINDS)
def test_archives_in_archives_are_refused(kind, tmp_path):
    make, name = KINDS[kind]
    inner = make_zip(tmp_path / "inner.zip", {"a.mid": SONG}).read_bytes()
    [find] = found(make(tmp_path / name, {"inner.zip": inner}))
    assert "archive in a folder or archive" in find.reason


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_file_is_refused_unread(kind, tmp_path):
    make, name = KINDS[kind]
    [find] = found(make(tmp_path / name, {"a.mid": SONG + os.urandom(20_000)}))
    assert find.reason.startswith("over ")
    assert find.content == b""


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("name", ["a.mid", "a.txt"])
def test_bombs_are_refused(kind, name, tmp_path):
    make, archive_name = KINDS[kind]
    with pytest.raises(InputError, match=r"unpack.* bytes"):
        found(make(tmp_path / archive_name, {name: bytes(900_000), "b.mid": SONG}))


def test_a_header_that_claims_a_gigabyte_is_refused(tmp_path):
    member = tarfile.TarInfo("a.mid")
    member.type, member.size = tarfile.XHDTYPE, 2**30
    (tmp_path / "set.tar").write_bytes(member.tobuf() + bytes(10_000))
    with pytest.raises(InputError, match="header of"):
        found(tmp_path / "set.tar")


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE])
def test_a_size_below_zero_leads_into_no_circle(kind, tmp_path):
    header = bytearray(tarfile.TarInfo("a.mid").tobuf())
    header[156:157], header[124:136] = kind, tarfile.itn(-512, 12, tarfile.GNU_FORMAT)
    header[148:156] = b" " * 8  # as the checksum is counted over
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "set.tar").write_bytes(tarfile.TarInfo("b.mid").tobuf() + header + bytes(10_000))
    with pytest.raises(InputError, match=r"-512 bytes"):
        found(tmp_path / "set.tar")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_more_files_than_the_limit_are_refused(kind, tmp_path):
    make, name = KINDS[kind]
    with pytest.raises(InputError, match="files"):
        found(make(tmp_path / name, {f"{number}.mid": SONG for number in range(21)}))


@pytest.mark.parametrize("name", ["set.zip", "set.tar", "set.tar.gz", "set.tgz"])
@pytest.mark.parametrize("content", [b"", b"PK\3\4 and no more", b"\x1f\x8b and no more", b"<html>" * 200])
def test_what_is_no_archive_is_said(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="is not a complete"):
        found(tmp_path / name)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_cut_off_anywhere_never_ends_in_a_traceback(kind, tmp_path):
    make, name = KINDS[kind]
    whole = make(tmp_path / name, {"a.mid": SONG, "b.mid": os.urandom(3000)}).read_bytes()
    for length in range(1, len(whole), 97):
        (tmp_path / name).write_bytes(whole[:length])
        with contextlib.suppress(InputError):
            assert all(find.content or find.reason for find in found(tmp_path / name))


def test_a_file_that_is_damaged_inside_a_zip_is_refused_the_others_are_not(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.mid", SONG)
        file.writestr("b.mid", SONG + b"b")
    path.write_bytes(path.read_bytes().replace(SONG, SONG[:-1] + b"!", 1))
    bad, good = found(path)
    assert bad.reason.startswith("unreadable")
    assert good.content == SONG + b"b"


def test_damaged_lzma_in_a_zip_is_refused(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("a.mid", os.urandom(200))
    content = bytearray(path.read_bytes())
    content[45:60] = b"\xff" * 15  # behind the header of 35 bytes and the settings of LZMA
    path.write_bytes(content)
    assert [find.reason.partition(":")[0] for find in found(path)] == ["unreadable"]


def test_a_link_to_an_archive_counts_by_its_own_name(tmp_path):
    make_zip(tmp_path / "blob", {"a.mid": SONG})
    (tmp_path / "set.zip").symlink_to(tmp_path / "blob")
    assert [find.name for find in found(tmp_path / "set.zip")] == ["set/a.mid"]


def test_a_folder_deeper_than_python_recurses(tmp_path):
    folder = tmp_path
    for _ in range(1200):
        folder = folder / "d"
        folder.mkdir()
    (folder / "a.mid").write_bytes(SONG)
    try:
        assert [find.content for find in found(tmp_path)] == [SONG]
    finally:  # because what pytest tidies up with recurses too
        (folder / "a.mid").unlink()
        while folder != tmp_path:
            folder.rmdir()
            folder = folder.parent


def test_the_folder_to_leave_out_is_left_out(tmp_path):
    make_folder(tmp_path, {"a.mid": SONG, "out/b.mid": SONG})
    assert [find.name for find in found(tmp_path, leave_out=tmp_path / "out")] == [f"{tmp_path.name}/a.mid"]


@pytest.mark.parametrize(("name", "encoding"), [
    ("Für Elise.mid", "cp437"), ("Für Elise.mid", "utf-8"), ("さくらさくら.mid", "shift_jis"),
    ("Калинка.mid", "cp1251"), ("plain.mid", "ascii"), ("señor.mid", "cp437")])
def test_names_in_a_zip_are_read_in_the_encoding_that_they_are_in(tmp_path, name, encoding):
    [find] = found(make_old_zip(tmp_path / "set.zip", name.encode(encoding)))
    assert (find.name, find.content) == (f"set/{name}", SONG)


def test_a_zip_that_says_its_names_are_unicode_is_believed(tmp_path):
    [find] = found(make_zip(tmp_path / "set.zip", {"さくら/Für.mid": SONG}))
    assert find.name == "set/さくら/Für.mid"


def test_the_unicode_name_that_info_zip_adds_goes_first(tmp_path):
    entry, name = zipfile.ZipInfo("__.mid"), "さくら.mid".encode()
    entry.extra = (0x7075).to_bytes(2, "little") + (5 + len(name)).to_bytes(2, "little") + b"\1crc!" + name
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(entry, SONG)
    assert [find.name for find in found(tmp_path / "set.zip")] == ["set/さくら.mid"]
