import json

import pytest

from serenity import journal as journals
from serenity.journal import Journal, code


def test_what_was_done_is_known_by_its_key(tmp_path):
    journal = Journal(tmp_path / "work" / "done.jsonl")
    assert journal.done("a", "1") is None
    journal.add("a", "1", found=[1, 2])
    assert journal.done("a", "1") == {"name": "a", "key": "1", "found": [1, 2]}
    assert journal.done("a", "2") is None
    assert Journal(tmp_path / "work" / "done.jsonl").done("a", "1")["found"] == [1, 2]


def test_the_later_of_two_lines_holds_and_the_file_does_not_grow(tmp_path):
    journal = Journal(tmp_path / "done.jsonl")
    for number in range(5):
        journal.add("a", str(number))
    journal.add("b", "1")
    again = Journal(tmp_path / "done.jsonl")
    assert again.done("a", "4")
    assert len((tmp_path / "done.jsonl").read_text().splitlines()) == 2


def test_a_line_that_was_cut_off_is_no_line(tmp_path):
    journal = Journal(tmp_path / "done.jsonl")
    journal.add("a", "1")
    whole = (tmp_path / "done.jsonl").read_bytes()
    for end in range(len(whole), 2 * len(whole) - 1):
        (tmp_path / "done.jsonl").write_bytes((whole * 2)[:end].replace(b'"a"', b'"b"') + b"\n[1]\n{}\n\xff\n")
        records = Journal(tmp_path / "done.jsonl").records
        assert list(records) == ["b"]
        assert [json.loads(line)["name"] for line in (tmp_path / "done.jsonl").read_text().splitlines()] == ["b"]


def test_what_is_no_longer_wanted_is_forgotten(tmp_path):
    journal = Journal(tmp_path / "done.jsonl")
    for name in "abc":
        journal.add(name, "1", files=[name])
    journal.keep({"b"})
    assert list(journal.records) == ["b"]
    assert list(Journal(tmp_path / "done.jsonl").records) == ["b"]


# --- what a result depends on -----------------------------------------------------------------------------------------

MODULES = {
    "work": "from serenity.near import far\nimport numpy\n",
    "near": "def use():\n    from serenity.far import thing\n",
    "far": "import serenity.work\n",
    "other": "from serenity.work import all_of_it\n",
}


@pytest.mark.parametrize(("changed", "matters"), [("work", True), ("near", True), ("far", True), ("other", False)])
def test_work_depends_on_its_module_and_on_all_that_this_one_imports(changed, matters, tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "ROOT", tmp_path)
    (tmp_path / "serenity").mkdir()
    for name, text in MODULES.items():
        (tmp_path / f"serenity/{name}.py").write_text(text)
    work = type("Work", (), {"__module__": "serenity.work"})
    before = code(work)
    (tmp_path / f"serenity/{changed}.py").write_text(MODULES[changed] + "CHANGED = True\n")
    assert (code(work) != before) == matters
