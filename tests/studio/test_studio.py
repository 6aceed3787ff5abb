"""The studio in a real headless Chromium, where there is one with its chromedriver: an evening in it."""

import base64
import json
import urllib.request

import pytest

import generate
from serenity.listen import audio
from tests import browser as chromium
from tests.browser import press, resize, wait
from tests.scripts import asking
from tests.studio.test_session import write_seed
from tests.test_notation import NOTE, XML, mxl

DROP = """
    const bytes = Uint8Array.from(atob(arguments[1]), letter => letter.charCodeAt(0)), files = new DataTransfer();
    files.items.add(new File([bytes], arguments[0]));
    for (const name of ["dragenter", "dragover", "drop"])
        document.body.dispatchEvent(new DragEvent(name, {dataTransfer: files, bubbles: true, cancelable: true}));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    window = chromium.start(tmp_path_factory.mktemp("chromium"))
    yield window
    window.quit()


@pytest.fixture
def page(browser, studio):
    """The studio's page, with its seed there; nothing may have gone wrong when the test has ended."""
    resize(browser, 1280)
    browser.get_log("browser")
    browser.get(studio.address)
    wait(browser, "songs().length === 1")
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def choose(page, **values):
    for name, value in values.items():
        page.execute_script("find(arguments[0]).value = arguments[1]", f"#{name}", str(value))


def drop(page, path):
    page.execute_script(DROP, path.name, base64.b64encode(path.read_bytes()).decode())


def click(page, element):
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def names(page):
    return page.execute_script("return songs().map(song => song.name)")


def test_an_evening_in_the_studio(page, studio, model_folder, tmp_path):
    drop(page, write_seed(tmp_path / "tune.mid", 2))
    wait(page, "songs().length === 2 && find('#making').textContent.includes('made of tune')")

    choose(page, bars=16, count=4)
    page.find_element("id", "make").click()
    wait(page, "songs().length === 5 && !latest.making")
    assert sorted(names(page)) == ["seed", "tune-1", "tune-2", "tune-3", "tune-4"]

    second = page.execute_script("return songs().find(song => song.name === 'tune-2').article")
    click(page, second.find_element("css selector", ".star"))
    wait(page, "latest.starred.length === 1")
    assert second.find_element("css selector", ".star").get_attribute("aria-pressed") == "true"

    bar = second.find_element("css selector", ".go-on input")
    page.execute_script("arguments[0].value = 12", bar)  # the seed has four bars: eight of the take are kept
    choose(page, bars=4, count=1)
    click(page, second.find_element("css selector", ".go-on button"))
    wait(page, "songs().some(song => song.name === 'tune-5') && !latest.making")
    assert page.find_element("css selector", "h2").text == "tune-2 to bar 12"

    link = page.execute_script("return songs().find(song => song.name === 'tune-5').links.querySelector('a')")
    assert link.get_attribute("download") == "tune-5.mid"
    with urllib.request.urlopen(link.get_attribute("href")) as answer:
        content = answer.read()
    song = studio.session.folder / "tune-5.mid"
    assert content == song.read_bytes()
    generate.main(asking(replay=song, out=tmp_path / "again.mid", model=model_folder, picture=False))
    assert (tmp_path / "again.mid").read_bytes() == content

    for seen in ("songs().length === 6", "songs().length === 5", "!latest.starred.length", "songs().length === 2"):
        click(page, page.find_element("id", "undo"))  # the take, going on, the star, the four takes
        wait(page, seen)


@pytest.mark.parametrize(("name", "score"), [("tune.musicxml", (XML % (8 * NOTE)).encode()),
                                             ("tune.mxl", mxl(XML % (8 * NOTE)))])
def test_a_score_is_dropped_and_gone_on_with(name, score, page, studio, tmp_path):
    (tmp_path / name).write_bytes(score)
    drop(page, tmp_path / name)
    wait(page, "songs().length === 2 && find('#making').textContent.includes('made of tune')")
    choose(page, bars=4, count=2)
    page.find_element("id", "make").click()
    wait(page, "songs().length === 3 && !latest.making")
    assert sorted(names(page)) == ["seed", "tune-1", "tune-2"]
    assert (studio.session.folder / name).read_bytes() == score


TAB, ENTER, SPACE, UP, DOWN = "\ue004", "\ue007", " ", "\ue013", "\ue015"


def go_by_tab(page, selector):
    """Press Tab until an element is reached."""
    for _ in range(60):
        press(page, TAB)
        if page.execute_script("return document.activeElement.matches(arguments[0])", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_an_evening_by_keyboard_alone(page):
    choose(page, bars=4)
    go_by_tab(page, "#count")
    press(page, UP + UP)  # from four takes to one
    go_by_tab(page, "#ending")
    press(page, SPACE)
    go_by_tab(page, "#make")
    press(page, ENTER)
    wait(page, "songs()[0].name === 'seed-1' && !latest.making")
    assert chromium.violations(page) == []
    go_by_tab(page, ".star")
    press(page, SPACE)
    wait(page, "latest.starred.length === 1")
    go_by_tab(page, ".go-on input")
    press(page, UP + ENTER)
    wait(page, "latest.steps.length === 2 && songs().some(song => song.name === 'seed-2') && !latest.making")
    page.execute_script("complain('what went wrong')")
    assert chromium.violations(page) == []
    go_by_tab(page, "#undo")
    press(page, ENTER + ENTER)
    wait(page, "latest.steps.length === 1 && songs()[0].name === 'seed-1'")
    assert page.execute_script("return document.activeElement.id") == "undo"


def test_takes_appear_one_by_one_and_are_stopped(page, studio):
    choose(page, bars=32, count=8)
    page.find_element("id", "make").click()
    wait(page, "songs()[0].name === 'seed-1'")
    assert page.execute_script("return latest.making !== null")
    page.find_element("id", "cancel").click()
    wait(page, "!latest.making")
    assert 1 <= len(studio.session.takes) < 8


def test_the_best_take_is_offered_until_another_is_chosen(page):
    assert page.execute_script("return [groups[0].split, active.group.at]") == [None, 0]  # all of it is the seed
    choose(page, bars=4, count=4)
    page.find_element("id", "make").click()
    wait(page, "songs().length === 4 && !latest.making")
    wait(page, "active === songs()[0] && groups[0].at > 0")
    press(page, "\ue015")  # down
    chosen = page.execute_script("return active.name")
    page.find_element("id", "make").click()
    wait(page, "songs().length === 8 && !latest.making")
    assert page.execute_script("return active.name") == chosen != names(page)[0]


def test_bars_are_offered_of_what_is_new(page):
    choose(page, bars=8, count=1)
    page.find_element("id", "make").click()
    for name, last, bar in (("seed-1", 4, 8), ("seed-2", 8, 12)):  # the last bar before, and amid the eight new ones
        article = wait(page, f"!latest.making && songs().find(song => song.name === '{name}')?.article")
        field = article.find_element("css selector", ".go-on input")
        assert int(field.get_attribute("value")) in (bar, bar + 1) and field.get_attribute("max") == str(last + 8)
        page.execute_script("arguments[0].value = 8", field)
        click(page, article.find_element("css selector", ".go-on button"))


def test_a_reload_shows_what_was_seen(page):
    choose(page, bars=4, count=2)
    page.find_element("id", "make").click()
    wait(page, "songs().length === 2 && !latest.making")
    page.execute_script("songs()[1].star.click()")
    wait(page, "latest.starred.length === 1")
    before = page.execute_script("return songs().map(song => [song.name, stars.has(song.id)])")
    page.refresh()
    wait(page, "songs().length === 2 && songs().some(song => stars.has(song.id))")
    assert page.execute_script("return songs().map(song => [song.name, stars.has(song.id)])") == before


@pytest.mark.skipif(audio.missing(audio.find_soundfont()) is not None, reason="there can be no sound here")
def test_a_take_is_heard(page):
    choose(page, bars=4, count=1)
    page.find_element("id", "make").click()
    wait(page, "songs()[0].name === 'seed-1'")
    press(page, "j")
    wait(page, "playing && playing.song === songs()[0] && now() > groups[0].from")


def test_a_file_that_is_no_song_is_refused_in_a_line(browser, studio, tmp_path):
    browser.get(studio.address)
    wait(browser, "songs().length === 1")
    (tmp_path / "broken.mid").write_bytes(b"MThd nothing")
    drop(browser, tmp_path / "broken.mid")
    problem = wait(browser, "!find('#problem').hidden && find('#problem').textContent")
    assert "broken.mid" in problem and "\n" not in problem
    assert names(browser) == ["seed"]
    browser.get_log("browser")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_words_stay_whole_nothing_overflows_and_nobody_is_kept_out(page, width, scheme):
    choose(page, bars=4, count=1)
    page.find_element("id", "make").click()
    wait(page, "songs()[0].name === 'seed-1'")
    resize(page, width, scheme)
    for details in page.find_elements("css selector", "details"):
        page.execute_script("arguments[0].open = true", details)
    assert wait(page, f"innerWidth === {width} && document.documentElement.scrollWidth") <= width
    assert page.execute_script(chromium.BROKEN_WORDS) == []
    assert chromium.violations(page) == []


def test_two_pages_see_the_same_and_a_name_is_text(page, studio, tmp_path):
    own, name = page.current_window_handle, "\U0001f3b9 <img src=x onerror=alert(1)>&amp;.mid"
    page.switch_to.new_window("tab")
    page.get(studio.address)
    wait(page, "songs().length === 1")
    drop(page, write_seed(tmp_path / name, 2))
    wait(page, "latest.steps.length === 2 && songs().length === 2")
    assert page.find_element("tag name", "h2").text == name.removesuffix(".mid")
    page.switch_to.window(own)
    wait(page, "latest.steps.length === 2 && songs().length === 2")
    for _ in range(9):  # more often than there is something to undo
        page.execute_script("find('#undo').click()")
    wait(page, "latest.steps.length === 0 && songs().length === 0 && find('#undo').disabled")
    drop(page, write_seed(tmp_path / "tune.mid", 3))
    wait(page, "songs().length === 1 && active === songs()[0] && active.name === 'tune'")
    page.switch_to.window(page.window_handles[1])
    wait(page, "songs().length === 1")
    page.close()
    page.switch_to.window(own)


def test_it_asks_nothing_of_other_hosts(page, studio):
    page.get_log("performance")
    page.refresh()
    wait(page, "songs().length === 1")
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = {message["params"]["request"]["url"] for message in messages
             if message["method"] == "Network.requestWillBeSent"}
    assert asked and all(url.startswith((studio.address, "data:")) for url in asked)
