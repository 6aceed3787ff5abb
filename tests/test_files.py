"""Files that appear whole or not at all, and one process at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from serenity.files import files_below, whole, write_whole

ADD_ONE = """
import sys, time
from pathlib import Path
from serenity.files import alone, write_whole
count = Path(sys.argv[1]) / "count"
for _ in range(50):
    with alone(count.parent):
        number = int(count.read_text())
        time.sleep(0.0005)
        write_whole(count, str(number + 1).encode())
"""


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "song.mid"
    path.write_bytes(b"old")
    with whole(path) as unfinished:
        unfinished.write_bytes(b"new")
        assert path.read_bytes() == b"old" and unfinished.parent == path.parent
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "song.mid"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole(path) as unfinished:
        unfinished.write_bytes(b"half")
        raise KeyboardInterrupt
    with pytest.raises(TypeError):
        write_whole(path, None)
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "no folder" / "song.mid", b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_files_are_found_in_all_folders_and_no_link_leads_in_circles(tmp_path):
    for name in ("a.mid", "x/y/c.mid"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"MThd")
    (tmp_path / "x/round").symlink_to(tmp_path)
    assert sorted(files_below(tmp_path)) == [tmp_path / "a.mid", tmp_path / "x/y/c.mid"]


def test_processes_that_want_a_folder_for_themselves_wait_for_each_other(tmp_path):
    write_whole(tmp_path / "count", b"0")
    several = [subprocess.Popen([sys.executable, "-c", ADD_ONE, tmp_path], cwd=Path(__file__).parents[1])
               for _ in range(4)]
    assert [process.wait() for process in several] == [0] * 4
    assert (tmp_path / "count").read_text() == "200"
