"""The page is opened in a real headless Chromium, where there is one with its chromedriver."""

import base64
import json
import os
import re

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.listen.audio import SAMPLE_RATE, encode, suffix
from serenity.listen.page import Group, PageSong, write
from serenity.listen.piano_roll import CONTINUATION, SEED
from serenity.music.note import NOTE, note_table
from serenity.music.remarks import Remark
from tests import browser as chromium
from tests.browser import press, resize, wait

EVIL = '<script>window.harm = 1</script><img src=x onerror="window.harm = 2">&amp;"\'{{title}}</script>'
LOUD = 112
SCALE = 40  # points a second


def sound(seconds, frequency=440):
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return encode(0.5 * np.sin(2 * np.pi * frequency * time))


def notes(seconds=30):
    """Return a scale, up and down, two notes a second."""
    onsets = np.arange(0, seconds, 0.5)
    return note_table(onsets, onsets * 0 + 0.5, 60 + 4 * (np.arange(len(onsets)) % 4), onsets * 0 + LOUD)


def song(name="A song", seconds=60, **more):
    return PageSong(name, notes(seconds), **more)


BARS = np.arange(1, 60, 2.0)  # bar 1 begins at 1 s, after an upbeat
SAID = (Remark("density", "as dense as your intro", "2 notes a quarter, your intro 2"),
        Remark("likelihood", "", "7 bits"))
GROUPS = (
    Group("Takes", (
        song("First", split=13.0, bars=BARS, sound=sound(20, 440), measures=SAID, chords=[(1.0, "C"), (13.0, "F♯m7")],
             downloads={"first.mid": b"MThd\x00\xff"}),
        song(EVIL, split=13.0, bars=BARS, sound=sound(20, 330), measures=[Remark("key", EVIL, EVIL)],
             downloads={EVIL: b"x"}),
        song("Third", split=13.0, bars=BARS, warning="thins out from bar 12 on"),
    ), about="C major · 60 BPM · 4/4"),
    Group(f"Others {EVIL}", (song("Parent", 20, sound=sound(20)), song("Child", 20, sound=sound(20)))),
)


def written(folder, groups=GROUPS, **more):
    """Write a page and return its text."""
    write(folder / "page.html", "A title", groups, **more)
    return (folder / "page.html").read_text(encoding="utf-8")


def data(text):
    """Return the groups that a page holds."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


# --- in the browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    window = chromium.start(tmp_path_factory.mktemp("chromium"))
    yield window
    window.quit()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    written(folder, note=f"A note.\n{EVIL}")
    return (folder / "page.html").as_uri()


@pytest.fixture
def page(browser, address):
    """The page, just opened in a window 1200 points wide; nothing may have gone wrong when the test has ended."""
    resize(browser, 1200)
    browser.get_log("browser")
    browser.get(address)
    yield browser
    browser.execute_script("localStorage.clear()")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert browser.execute_script("return window.harm") is None


def keys():
    from selenium.webdriver import Keys

    return Keys


def drawn(page, number=0):
    """Wait until a song's roll is drawn as everything is now."""
    page.execute_script("songs()[arguments[0]].article.scrollIntoView()", number)
    wait(page, f"songs()[{number}].isSeen && !songs()[{number}].group.waits")


def colour_at(page, number, seconds, pitch):
    """Return the colour of a song's roll where a pitch sounds."""
    drawn(page, number)
    return page.execute_script("""
        const song = songs()[arguments[0]], canvas = song.roll.querySelector("canvas"), {group} = song;
        const y = BAND + (group.high - arguments[2] + .4) * (canvas.height - BAND) / (group.high - group.low + 1);
        const x = (arguments[1] - group.from) * group.scale;
        return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];
    """, number, seconds, pitch)


def place(page):
    return page.execute_script("return active.group.at")


def test_it_opens_two_bars_before_the_continuation(page):
    drawn(page)
    assert page.execute_script("return [groups[0].from, groups[0].at]") == [9, 9]  # the join is at 13 s, in bar 7
    assert page.find_element("css selector", "#where span").text == "bar 5, 0:09 / 1:00"
    press(page, keys().HOME)
    page.find_element("css selector", "#join").click()
    assert wait(page, "playing && now()") >= 9


def test_bars_are_numbered_as_in_a_daw_and_an_upbeat_is_none(page):
    assert [page.execute_script(f"return numberOf(groups[0], {seconds})") for seconds in (0, 1, 2.9, 3, 59)] == [
        0, 1, 1, 2, 30]


def test_every_take_that_has_a_sound_plays(page):
    for number in (0, 1, 3, 4):
        page.execute_script("songs()[arguments[0]].play.scrollIntoView({block: 'center'})", number)
        page.execute_script("return songs()[arguments[0]].play", number).click()
        wait(page, f"playing && playing.song === songs()[{number}] && now() > groups[{number // 3}].at - 1")
        assert page.execute_script("return songs().map(song => song.play.ariaPressed)").count("true") == 1
    assert not page.execute_script("return songs()[2].play").is_enabled()


def test_from_one_take_to_another_the_ear_goes_on_at_the_same_bar(page):
    press(page, " ")
    wait(page, "playing && now() > 9.3")
    press(page, keys().ARROW_DOWN)
    assert 9.3 < wait(page, "playing && playing.song === songs()[1] && now()") < 15
    press(page, " ")
    at = place(page)
    press(page, keys().ARROW_UP)
    assert page.execute_script("return active.name") == "First" and place(page) == pytest.approx(at)


def test_the_playhead_moves_with_the_sound(page):
    head = "new DOMMatrix(getComputedStyle(songs()[0].roll.querySelector('.head')).transform).e"
    assert wait(page, f"songs()[0].isSeen && [{head}]") == [0]
    press(page, " ")
    wait(page, f"playing && now() > 9.5 && {head} > 10")
    wait(page, f"Math.abs({head} - (groups[0].at - groups[0].from) * groups[0].scale) < 1")


def test_a_range_goes_round(page):
    page.execute_script("setLoop(groups[0], [9, 9.5])")
    press(page, " ")
    wait(page, "playing && context.currentTime - playing.started > .8")  # without the range it would stand at 9.8 s
    assert 9 <= page.execute_script("return now()") < 9.5


def test_a_range_is_dragged_on_the_ruler(page):
    from selenium.webdriver import ActionChains

    ruler = page.find_element("css selector", ".ruler")
    left = -ruler.size["width"] // 2  # of the ruler, from its middle
    drag = ActionChains(page).move_to_element_with_offset(ruler, left + 90, 0).click_and_hold()
    drag.move_by_offset(100, 0).release().perform()  # from bar 6 (11 s) to bar 7, to its end
    assert page.execute_script("return groups[0].loop") == [11, 15]
    assert page.find_element("css selector", "#loop button").get_attribute("aria-pressed") == "true"
    assert [page.find_element("id", name).get_attribute("value") for name in ("loop-from", "loop-to")] == ["6", "7"]


def test_a_range_is_set_by_keyboard(page):
    for key in ("[", keys().ARROW_RIGHT, keys().ARROW_RIGHT, "]"):
        press(page, key)
    assert page.execute_script("return groups[0].loop") == [9, 15]  # bars 5 to 7
    press(page, "l")
    assert page.execute_script("return groups[0].isLooping") is False
    field = page.find_element("id", "loop-to")
    field.send_keys(keys().CONTROL, "a")
    field.send_keys("9", keys().TAB)
    assert page.execute_script("return [groups[0].loop, groups[0].isLooping]") == [[9, 19], True]


def test_keys_go_from_bar_to_bar_and_home(page):
    steps = []
    for key in (keys().ARROW_RIGHT, keys().ARROW_LEFT, keys().ARROW_LEFT, keys().HOME, keys().END):
        page.execute_script("groups[0].overview.focus()")
        press(page, key)
        steps.append(place(page))
    assert steps == [11, 9, 7, 0, 59]


def test_a_click_into_a_roll_goes_there(page):
    from selenium.webdriver import ActionChains

    roll = page.find_elements("css selector", ".roll")[1]
    ActionChains(page).move_to_element_with_offset(roll, 10, 0).click().perform()
    middle = roll.size["width"] / 2 + 10
    assert place(page) == pytest.approx(9 + middle / SCALE, abs=0.1)
    assert page.execute_script("return active === songs()[1]")


def test_the_view_turns_its_page_when_the_playhead_leaves_it(page):
    page.execute_script("look(groups[0], 0, 160); seek(groups[0], 25)")
    assert page.execute_script("return groups[0].from") == pytest.approx(25 - .1 * page.execute_script(
        "return viewWidth(groups[0]) / 160"), abs=0.01)


def test_the_playhead_stays_in_sight_in_a_narrower_window_and_makes_no_page_wide(page):
    page.execute_script("zoom(groups[0], 9)")
    page.execute_script("seek(groups[0], groups[0].from + viewWidth(groups[0]) / groups[0].scale - .2)")
    resize(page, 390)
    wait(page, "groups[0].from > 12 && find('.ruler .head').style.visibility === 'visible'")
    page.execute_script("look(groups[0], 0)")
    wait(page, "find('.ruler .head').style.visibility === 'hidden'")
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390


def test_rolls_are_drawn_in_the_colours_of_seed_and_continuation(page):
    assert np.allclose(colour_at(page, 0, 9.75, 72)[:3], SEED, atol=6)
    assert np.allclose(colour_at(page, 0, 14.25, 60)[:3], CONTINUATION, atol=6)
    assert np.allclose(colour_at(page, 3, 5.25, 68)[:3], SEED, atol=6)  # no split: all is seed


def test_a_star_is_kept(page, address):
    star = page.find_elements("css selector", ".star")[1]
    star.click()
    page.get(address)
    pressed = [star.get_attribute("aria-pressed") for star in page.find_elements("css selector", ".star")]
    assert pressed == ["false", "true", "false", "false", "false"]
    press(page, "s")
    assert page.find_element("css selector", ".star").get_attribute("aria-pressed") == "true"


def test_a_star_holds_where_nothing_can_be_stored(page):
    page.execute_script("Storage.prototype.setItem = () => { throw new DOMException('no', 'SecurityError'); }")
    page.find_element("css selector", ".star").click()
    assert page.find_element("css selector", ".star").get_attribute("aria-pressed") == "true"


def test_midi_and_sound_are_saved_from_the_page(page, tmp_path):
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    for link in page.find_elements("css selector", ".links")[0].find_elements("css selector", "a"):
        link.click()
    first = GROUPS[0].songs[0]
    wait(page, "true")
    for _ in range(100):
        saved = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.startswith(".")}
        if saved == {"first.mid": b"MThd\x00\xff", f"First{suffix()}": first.sound.content}:
            return
        page.execute_async_script("setTimeout(arguments[0], 100)")
    pytest.fail(f"saved {[*saved]}")


def test_words_stand_open_and_numbers_behind_them(page):
    first = page.find_element("css selector", ".take")
    assert "as dense as your intro" in first.text and "7 bits" not in first.text
    first.find_element("css selector", "summary").click()
    assert "2 notes a quarter, your intro 2" in first.text and "likelihood 7 bits" in first.text


def test_a_take_that_collapses_is_marked(page):
    assert [mark.text for mark in page.find_elements("css selector", ".take .warning")] == ["thins out from bar 12 on"]


def test_chords_are_told_to_who_does_not_see_them(page):
    roll = page.find_element("css selector", ".roll")
    assert roll.get_attribute("aria-label") == "Piano roll of First. Chords: 0:01 C, 0:13 F♯m7"
    assert page.find_element("css selector", ".about").text == "C major · 60 BPM · 4/4"


def test_a_name_is_text(page):
    assert page.find_elements("css selector", "h3")[1].text == EVIL
    assert page.find_elements("css selector", ".note")[1].text == EVIL
    assert not page.find_elements("css selector", "img")


def test_only_the_pages_own_script_runs(browser, address):
    browser.get(address)
    browser.execute_script("""
        const script = document.createElement("script");
        script.textContent = "window.harm = 3";
        document.body.append(script);
    """)
    assert browser.execute_script("return window.harm") is None
    assert "Content Security Policy" in browser.get_log("browser")[0]["message"]


def test_nothing_is_asked_of_the_network(page, address):
    page.get_log("performance")
    page.get(address)
    press(page, " ")
    wait(page, "playing && now() > 9")
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [message["params"]["request"]["url"] for message in messages
             if message["method"] == "Network.requestWillBeSent" and message["params"]["documentURL"] == address]
    assert {url.partition(":")[0] for url in asked} <= {"file", "blob", "data"}
    assert [url for url in asked if url.startswith("file")] == [address]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_words_stay_whole_nothing_overflows_and_nobody_is_kept_out(page, width, scheme):
    resize(page, width, scheme)
    for details in page.find_elements("css selector", "details"):
        page.execute_script("arguments[0].open = true", details)
    assert wait(page, f"innerWidth === {width} && document.documentElement.scrollWidth") <= width
    broken = [word for word, _ in page.execute_script(chromium.BROKEN_WORDS)]
    assert [word for word in broken if word not in EVIL] == []  # a name may be one word that is too long
    assert chromium.violations(page) == []


def test_takes_without_a_heading_are_found_by_headings_too(browser, tmp_path):
    written(tmp_path, [Group("", GROUPS[0].songs, GROUPS[0].about)])
    browser.get((tmp_path / "page.html").as_uri())
    assert chromium.violations(browser) == []
    assert browser.find_element("tag name", "h2").size["width"] == 1


def test_the_keyboard_reaches_everything_and_is_seen_to(page):
    reached = []
    wanted = page.execute_script("""
        return [...document.querySelectorAll("button, a, input, summary, [tabindex]")]
            .filter(one => !one.disabled && one.checkVisibility()).length""")
    for _ in range(wanted):
        press(page, keys().TAB)
        reached.append(page.execute_script("""
            const one = document.activeElement, style = getComputedStyle(one);
            const number = [...document.querySelectorAll("*")].indexOf(one);
            return [number, style.outlineStyle, parseFloat(style.outlineWidth)];
        """))
    assert len({number for number, *_ in reached}) == wanted
    assert {style for _, style, _ in reached} == {"solid"} and min(width for *_, width in reached) >= 2


def test_dark_is_dark(page):
    light = page.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    resize(page, 1200, "dark")
    wait(page, "matchMedia('(prefers-color-scheme: dark)').matches")
    dark = page.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    assert max(map(int, re.findall(r"\d+", dark))) < 80 < min(map(int, re.findall(r"\d+", light)))


def test_songs_out_of_sight_hold_no_pictures(browser, tmp_path):
    many = [Group(str(number), (song(), song())) for number in range(8)]
    write(tmp_path / "page.html", "Many", many)
    resize(browser, 1200)
    browser.get((tmp_path / "page.html").as_uri())
    wait(browser, "songs()[0].isSeen && songs()[0].roll.querySelector('canvas').width > 300")
    assert browser.execute_script("return songs()[15].isSeen") is False
    browser.execute_script("scrollTo(0, document.body.scrollHeight)")
    wait(browser, "songs()[15].isSeen && songs()[15].roll.querySelector('canvas').width > 300")
    wait(browser, "songs()[0].roll.querySelector('canvas').width === 0")


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_page_names_no_other_place(tmp_path):
    assert not re.search(r"https?:|(src|href)=\"(?!data:)|@import|url\(", written(tmp_path, GROUPS[:1]))


def test_a_midi_file_can_be_taken_along(tmp_path):
    first = data(written(tmp_path))[0]["songs"][0]
    [(name, address)] = first["downloads"]
    assert name == "first.mid" and base64.b64decode(address.partition(",")[2]) == b"MThd\x00\xff"


def test_measures_stand_in_the_order_given(tmp_path):
    said = [Remark("b", "1 < 2", "3"), Remark("a", "4", "5")]
    assert data(written(tmp_path, [Group("", (song(measures=said),))]))[0]["songs"][0]["measures"] == [
        ["b", "1 < 2", "3"], ["a", "4", "5"]]


def test_what_is_not_heard_or_not_seen_is_said(tmp_path):
    text = written(tmp_path, [Group("", (song(cut="shown and played: 2:00 to 12:00 of 20:00"),))], note="no sound: why")
    assert "no sound: why" in text
    assert data(text)[0]["songs"][0]["facts"] == (
        "120 notes · 1:00 · shown and played: 2:00 to 12:00 of 20:00 · without sound")


def test_the_size_is_returned_and_kept(tmp_path, monkeypatch):
    songs = tuple(song(str(number), sound=sound(3)) for number in range(4))
    whole = write(tmp_path / "page.html", "", [Group("", songs)])
    assert whole == (tmp_path / "page.html").stat().st_size
    largest = whole - len(songs[0].sound.content)
    monkeypatch.setattr("serenity.listen.page.LARGEST", largest)
    text = written(tmp_path, [Group("", songs)])
    assert len(text.encode()) <= largest
    assert [one["sound"] for one in data(text)[0]["songs"]] == ["sound-0", "sound-1", "sound-2", None]
    assert "does not grow too large: the last 1." in text
    monkeypatch.setattr("serenity.listen.page.LARGEST", 9000)
    with pytest.raises(InputError, match=r"would hold [\d,]+ bytes without any sound; wanted at most 9,000"):
        write(tmp_path / "page.html", "", [Group("", songs)])


@pytest.mark.parametrize("groups", [[], [Group("Empty", ())]])
def test_a_page_without_songs_is_the_inputs_fault(groups, tmp_path):
    with pytest.raises(InputError, match="no song for the page; wanted one or more"):
        write(tmp_path / "page.html", "", groups)


def test_a_song_without_notes_is_the_inputs_fault(tmp_path):
    with pytest.raises(InputError, match="Nothing: holds no note to show; wanted one or more"):
        write(tmp_path / "page.html", "", [Group("", (PageSong("Nothing", np.empty(0, NOTE)),))])


def test_a_name_that_is_no_utf_8_can_be_written(tmp_path):
    text = written(tmp_path, [Group("", (song(os.fsdecode(b"\xff.mid")),))])
    assert data(text)[0]["songs"][0]["name"] == "\udcff.mid"


def test_the_same_songs_give_the_same_page(tmp_path):
    assert written(tmp_path) == written(tmp_path)
    assert EVIL not in written(tmp_path)
