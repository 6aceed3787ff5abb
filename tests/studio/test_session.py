"""What a musician does in the studio, without a browser: takes, stars, going on, undoing, stopping."""

import threading
import time

import numpy as np
import pytest

import generate
from serenity import completion
from serenity.completion import SeedSettings
from serenity.errors import InputError
from serenity.music import midi_file
from serenity.music.midi_file import Track
from serenity.music.tempo_map import TempoMap
from serenity.studio import session as sessions
from serenity.studio.asked import Making, Refused
from serenity.studio.session import Session, state
from tests.scripts import asking
from tests.songs import compose_notes

SOON = 60  # seconds; a busy machine needs some


def write_seed(path, number=1):
    midi_file.write(path, [Track("Piano", 0, False, compose_notes(number, bars=4))], TempoMap())
    return path


@pytest.fixture
def session(model_folder, tmp_path, monkeypatch):
    """A session with one seed, whose songs lie in `takes`; its work is done as it comes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "takes").mkdir()
    one = Session(completion.load(model_folder), tmp_path / "takes")
    one.open_file(write_seed(tmp_path / "seed.mid"))
    worker = threading.Thread(target=one.work, daemon=True)
    worker.start()
    yield one
    one.close()
    worker.join(SOON)
    assert not worker.is_alive()


def until(condition):
    """Wait until a condition holds."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def made(session, takes=1, step=1, bars=2):
    """Let takes be made, and return all there are."""
    session.make(Making(step, bars, 0.9, takes))
    until(lambda: not session.queue)
    assert session.problem == ""
    return session.takes


def shown(session):
    """Return the numbers of the takes of each step that is seen."""
    return {step["number"]: sorted(step["takes"]) for step in state(session)["steps"]}


def test_a_take_is_what_generate_would_have_written(session, model_folder, tmp_path):
    made(session, 2)
    made(session, 1)
    generate.main(asking(song=tmp_path / "seed.mid", out=tmp_path / "out.mid", model=model_folder, bars=2,
                                      variations=3, candidates=1, picture=False, page=False))
    for number in (1, 2, 3):
        assert (tmp_path / f"takes/seed-{number}.mid").read_bytes() == (tmp_path / f"out-{number}.mid").read_bytes()


def test_the_first_take_is_there_before_the_others_are_made(session):
    seen, at = [], session.make(Making(1, 2, 0.9, 3))
    while session.queue:
        seen.append(state(session)["making"] and len(session.takes))
        time.sleep(0.001)
    assert at.made == 3 and {1, 2} <= set(seen)


def test_takes_are_ranked(session):
    made(session, 3)
    [step] = state(session)["steps"]
    ranked = completion.rank(take.take for take in session.takes.values())
    assert [session.takes[number].take for number in step["takes"]] == ranked


def test_one_goes_on_from_a_bar_and_its_song_can_be_made_again(session, model_folder, tmp_path):
    take = made(session, bars=3)[1]
    step = session.go_on(1, 2)
    assert step.heading == "seed-1 to bar 6"  # four of the seed, two of the take
    made(session, step=step.number)
    song = session.takes[2].path
    assert song.name == "seed-2.mid"
    line = take.song.tempo_map.seconds(6 * 4)
    kept = [midi_file.read(path).tracks[1].notes for path in (take.path, song)]
    kept = [notes[notes["onset"] < line - 0.1][["onset", "pitch"]] for notes in kept]
    np.testing.assert_array_equal(*kept)
    generate.main(asking(replay=song, out=tmp_path / "again.mid", model=model_folder, picture=False))
    assert (tmp_path / "again.mid").read_bytes() == song.read_bytes()


def test_a_song_is_asked_to_end(session):
    asked = session.request_of(Making(1, 2, 0.9, 1, ending=True))
    assert (asked.ending, asked.bars) == (True, 2)


def test_an_end_that_is_being_made_is_stopped(session, monkeypatch):
    drawn = []

    def closed(made, number, seed, end, vocabulary, rules, draw):
        drawn.append(number)
        session.cancel()
        draw(seed.prompt, 8, 1, rules, 0)
        drawn.append("not stopped")

    monkeypatch.setattr(completion.closing, "closed", closed)
    session.make(Making(1, 2, 0.9, 1, ending=True))
    until(lambda: not session.queue)
    assert drawn == [1] and not session.takes and session.problem == ""


def test_a_song_that_is_gone_on_with_from_the_start_leaves_room_for_other_seeds(session, tmp_path):
    path = made(session, bars=4)[1].path
    again = Session(session.model, session.folder, SeedSettings(keep_bars=2))
    assert again.open_file(path).seed.earlier is not None
    assert again.upload("other.mid", write_seed(tmp_path / "other.mid", 3).read_bytes()).seed.earlier is None


def test_more_bars_than_a_take_has_are_refused(session):
    made(session)
    with pytest.raises(InputError, match="seed-1.mid: keep_bars 9"):
        session.go_on(1, 9)
    assert shown(session) == {1: [1]}


def test_each_action_is_undone(session):
    views = [session.view]
    made(session, 2)
    views.append(session.view)
    session.star(2, True)
    views.append(session.view)
    session.go_on(2, 1)
    assert shown(session) == {1: [1, 2], 2: []} and state(session)["starred"] == [2]
    for view in reversed(views):
        session.undo()
        assert session.view == view
    assert shown(session) == {1: []}
    session.undo()
    assert shown(session) == {}
    before = state(session)
    session.undo()  # nothing is left
    assert state(session) == before
    assert len([*session.folder.iterdir()]) == 2  # files stay


def test_what_is_made_meanwhile_is_not_undone(session):
    made(session)
    session.star(1, True)
    made(session)
    session.undo()  # the second making
    assert shown(session) == {1: [1]} and state(session)["starred"] == [1]


@pytest.mark.parametrize("stop", [Session.cancel, Session.undo])
def test_a_making_is_stopped_and_the_queue_is_empty(session, stop):
    session.make(Making(1, 64, 0.9, 8))
    until(lambda: session.queue[0].done)
    if stop is Session.cancel:
        session.make(Making(1, 64, 0.9, 8))
    stop(session)
    until(lambda: not session.queue)
    assert len(session.takes) < 8
    made(session)  # and the next is made


def test_the_work_stops_when_the_last_page_is_closed(session, monkeypatch):
    monkeypatch.setattr(sessions, "NOBODY", 0.05)
    session.listen(1)
    session.listen(1)
    session.make(Making(1, 64, 0.9, 8))
    session.listen(-1)
    time.sleep(0.1)
    until(lambda: session.queue[0].done)  # one is still open
    session.listen(-1)
    until(lambda: not session.queue)
    assert len(session.takes) < 8 and session.problem == ""


def test_the_queue_has_an_end(session):
    for _ in range(sessions.MOST_WAITING):
        session.make(Making(1, 64, 0.9, 8))
    with pytest.raises(Refused, match="wanted fewer") as refused:
        session.make(Making(1, 64, 0.9, 8))
    assert refused.value.status == 429
    session.cancel()


def test_what_goes_wrong_ends_one_making_and_is_said(session, monkeypatch):
    monkeypatch.setattr(completion, "complete", lambda *_: 1 / 0)
    session.make(Making(1, 2, 0.9, 1))
    until(lambda: not session.queue)
    assert "ZeroDivisionError" in state(session)["problem"]
    monkeypatch.undo()
    made(session)


def test_a_file_is_kept_where_it_is_a_song_and_only_there(session, tmp_path):
    content = write_seed(tmp_path / "other.mid", 2).read_bytes()
    step = session.upload("other.mid", content)
    assert step.seed.path == session.folder / "other.mid" and step.seed.path.read_bytes() == content
    assert session.upload("other.mid", content).seed.path == step.seed.path
    assert session.upload("other.mid", (tmp_path / "seed.mid").read_bytes()).seed.path.name == "other-seed2.mid"
    with pytest.raises(InputError, match=r"broken\.mid"):
        session.upload("broken.mid", b"MThd nothing")
    assert sorted(path.name for path in session.folder.iterdir()) == ["other-seed2.mid", "other.mid"]


def test_takes_count_from_one_for_each_seed(session, tmp_path):
    made(session, 2)
    step = session.upload("other.mid", write_seed(tmp_path / "other.mid", 2).read_bytes())
    made(session, 1, step.number)
    assert [take.path.name for take in session.takes.values()] == ["seed-1.mid", "seed-2.mid", "other-1.mid"]


def test_a_file_that_cannot_be_read_is_named_without_its_folder(session):
    with pytest.raises(InputError, match="^text.mid: "):
        session.upload("text.mid", b"no music")


def test_a_file_that_is_called_as_a_take_is_not_written_over(session, tmp_path):
    content = write_seed(tmp_path / "other.mid", 2).read_bytes()
    session.upload("seed-1.mid", content)
    path = made(session)[1].path
    assert path.name != "seed-1.mid" and (session.folder / "seed-1.mid").read_bytes() == content


def test_a_score_is_a_seed(session):
    step = session.upload("tune.abc", b"X:1\nT:Tune\nM:4/4\nL:1/4\nK:G\nGABc|dedB|GABc|d2d2|\n")
    assert made(session, step=step.number)[1].path.name == "tune-1.mid"


def test_folders_are_new_and_do_not_stay_empty(tmp_path):
    parent = tmp_path / "takes"
    with sessions.new_folder(parent, "day") as first, sessions.new_folder(parent, "day") as other:
        assert (first.name, other.name) == ("day-1", "day-2")
        (other / "song.mid").touch()
    assert [path.name for path in (tmp_path / "takes").iterdir()] == ["day-2"]
