"""The page is opened in a real headless Chromium, where there is one with its chromedriver."""

import base64
import html
import json
import os
import re
import shutil

import numpy as np
import pytest

from serenity.errors import InputError
from serenity.listen.audio import SAMPLE_RATE, encode
from serenity.listen.page import Group, PageSong, write
from serenity.listen.piano_roll import CONTINUATION, SEED
from serenity.music.note import NOTE, note_table

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
EVIL = '<script>window.harm = 1</script><img src=x onerror="window.harm = 2">&amp;"\'{{title}}'
LOUD = 112


def sound(seconds, frequency=440):
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return encode(0.5 * np.sin(2 * np.pi * frequency * time)[:, None] * np.ones((1, 2)))


def notes(seconds=30):
    """Return a scale, up and down, two notes a second."""
    onsets = np.arange(0, seconds, 0.5)
    return note_table(onsets, onsets * 0 + 0.5, 60 + 4 * (np.arange(len(onsets)) % 4), onsets * 0 + LOUD)


def song(name="A song", **more):
    return PageSong(name, notes(), **more)


GROUPS = (
    Group("Variations", (
        song("First", split=4.0, bars=np.arange(0, 30, 2.0), sound=sound(8, 440), measures={"key": "C major"},
             downloads={"first.mid": b"MThd\x00\xff"}),
        song(EVIL, sound=sound(6, 330), measures={EVIL: EVIL}, downloads={EVIL: b"x"}),
    )),
    Group(f"Family {EVIL}", (song("Original", sound=sound(20)), song("Synthetic", sound=sound(20))), together=True),
    Group("Silent", (song("Mute"),)),
)


def written(folder, groups=GROUPS, **more):
    """Write a page and return its text."""
    write(folder / "page.html", "A title", groups, **more)
    return (folder / "page.html").read_text(encoding="utf-8")


# --- in the browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (./install.sh --dev)")
    chromium, driver = next(filter(None, map(shutil.which, BROWSERS)), None), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium with chromedriver here (on Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    window.set_script_timeout(20)
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
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert browser.execute_script("return window.harm") is None


def resize(browser, width, scheme="light"):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def wait(page, condition):
    """Wait until a condition in JavaScript holds, and return its value."""
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(page, 20, poll_frequency=0.05).until(lambda page: page.execute_script(f"return {condition}"))


def wait_for_two_frames(page):
    page.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))")


def press(page, key):
    from selenium.webdriver import ActionChains

    ActionChains(page).send_keys(key).perform()


def keys():
    from selenium.webdriver import Keys

    return Keys


def colour_at(page, number, seconds, pitch):
    """Return the colour of a song's roll where a pitch sounds, once it is drawn."""
    wait(page, f"document.querySelectorAll('.roll canvas')[{number}].style.width")
    return page.execute_script("""
        const song = songs[arguments[0]], canvas = song.roll.querySelector("canvas");
        const y = (song.high - arguments[2] + .4) * canvas.height / (song.high - song.low + 1);
        return [...canvas.getContext("2d").getImageData(arguments[1] * SCALE, y, 1, 1).data].slice(0, 3);
    """, number, seconds, pitch)


def test_every_player_plays(page):
    for number, button in enumerate(page.find_elements("css selector", ".play:enabled")):
        page.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        seconds = GROUPS[number // 2].songs[number % 2].sound.seconds
        assert wait(page, "audio.duration") == pytest.approx(seconds, abs=0.1)
        wait(page, "audio.currentTime > 0.1 && !audio.paused")
        assert page.execute_script("return songs.filter(song => song.play.ariaPressed == 'true').length") == 1
    assert number == 3


def test_the_playhead_moves_with_the_sound(page):
    assert page.execute_script("return songs[0].heads[1].style.transform") in ("", "translateX(0px)")
    page.find_element("css selector", ".play").click()
    wait(page, "audio.currentTime > 0.3")
    for head, full in (("songs[0].heads[0]", "songs[0].strip.clientWidth / songs[0].seconds"),
                       ("songs[0].heads[1]", "SCALE")):
        place, wanted = page.execute_script(
            f"return [new DOMMatrix(getComputedStyle({head}).transform).e, audio.currentTime * {full}]")
        assert place == pytest.approx(wanted, rel=0.5) and place > 0
    assert page.find_element("css selector", ".time").text == "0:00 / 0:08"


def test_rolls_are_drawn_in_the_colours_of_seed_and_continuation(page):
    assert np.allclose(colour_at(page, 0, 0.75, 64), SEED, atol=6)
    assert np.allclose(colour_at(page, 0, 6.25, 60), CONTINUATION, atol=6)
    assert min(colour_at(page, 0, 0.75, 67)) > 240
    assert np.allclose(colour_at(page, 1, 5.25, 68), SEED, atol=6)  # no split: all is seed


def test_bars_are_drawn(page):
    with_bars, without = (colour_at(page, number, 2.01, 74) for number in (0, 1))
    assert sum(with_bars) < sum(without) - 20


def test_what_cannot_be_heard_is_paler(page):
    page.execute_script("songs[0].roll.scrollLeft = 7 * SCALE")
    wait_for_two_frames(page)
    heard, unheard = colour_at(page, 0, 0.25, 68), colour_at(page, 0, 2.25, 68)
    assert sum(unheard) > sum(heard) + 100


def test_space_plays_and_pauses_and_arrows_move(page):
    press(page, " ")
    wait(page, "!audio.paused && audio.currentTime > 0")
    press(page, " ")
    wait(page, "audio.paused")
    page.execute_script("seek(songs[0], 1)")
    press(page, keys().ARROW_RIGHT)
    assert page.execute_script("return songs[0].clock.at") == 6
    press(page, keys().ARROW_RIGHT)
    assert page.execute_script("return songs[0].clock.at") == pytest.approx(8, abs=0.1)  # the end of its sound
    press(page, keys().ARROW_LEFT)
    assert page.execute_script("return [songs[0].clock.at, scrollY]") == [pytest.approx(3, abs=0.1), 0]


def test_keys_go_to_the_song_that_has_the_focus(page):
    page.execute_script("songs[1].strip.focus()")
    press(page, " ")
    wait(page, "current === songs[1] && audio.currentTime > 0")
    press(page, keys().TAB)
    assert page.execute_script("return document.activeElement.closest('article') === songs[1].article")


def test_a_click_into_the_roll_goes_there(page):
    from selenium.webdriver import ActionChains

    roll = page.find_element("css selector", ".roll")
    ActionChains(page).move_to_element_with_offset(roll, 10, 0).click().perform()
    middle = roll.size["width"] / 2 + 10
    assert page.execute_script("return songs[0].clock.at") == pytest.approx(middle / 40, abs=0.1)


def test_a_family_stands_at_one_place_and_others_do_not(page):
    page.execute_script("seek(songs[0], 2); seek(songs[2], 7)")
    assert page.execute_script("return songs.map(song => song.clock.at)") == [2, 0, 7, 7, 0]
    original, synthetic = page.find_elements("css selector", ".play")[2:4]
    original.click()
    wait(page, "audio.currentTime > 7")
    synthetic.click()
    assert wait(page, "current === songs[3] && audio.currentTime > 7 && audio.currentTime") < 10


def test_the_roll_turns_its_page_when_the_playhead_leaves_it(page):
    page.execute_script("seek(songs[2], 15)")
    assert 0 < page.execute_script("return songs[3].roll.scrollLeft") <= 15 * 40
    page.execute_script("seek(songs[2], songs[2].roll.clientWidth / SCALE - .2); songs[2].roll.scrollLeft = 0")
    page.find_elements("css selector", ".play")[2].click()
    wait(page, "songs[2].roll.scrollLeft > 100")


def test_a_midi_file_is_saved_from_the_page(page, tmp_path):
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.find_element("css selector", ".downloads a").click()
    press(page, " ")  # the link has the focus; its song plays
    wait(page, "current === songs[0] && audio.currentTime > 0.3")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("first.mid", b"MThd\x00\xff")]


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
    page.find_element("css selector", ".play").click()
    wait(page, "audio.currentTime > 0")
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [message["params"]["request"]["url"] for message in messages
             if message["method"] == "Network.requestWillBeSent" and message["params"]["documentURL"] == address]
    assert address in asked
    assert {url.partition(":")[0] for url in asked} <= {"file", "blob", "data"} and asked.count(address) == len(
        [url for url in asked if url.startswith("file")])


@pytest.mark.parametrize("width", [320, 390, 768, 1920])
def test_no_width_makes_the_page_wider_than_the_window(page, width):
    resize(page, width)
    assert wait(page, f"innerWidth === {width} && document.documentElement.scrollWidth") <= width
    wait(page, "songs[0].roll.querySelector('canvas').clientWidth === songs[0].roll.clientWidth")


def test_dark_is_dark(page):
    light = colour_at(page, 0, 0.75, 67)
    resize(page, 1200, "dark")
    wait(page, "matchMedia('(prefers-color-scheme: dark)').matches")
    wait_for_two_frames(page)
    assert max(colour_at(page, 0, 0.75, 67)) < 80 < min(light)


def test_songs_out_of_sight_hold_no_pictures(browser, tmp_path):
    many = [Group(str(number), (song(), song())) for number in range(8)]
    write(tmp_path / "page.html", "Many", many)
    browser.get((tmp_path / "page.html").as_uri())
    wait(browser, "songs[0].roll.querySelector('canvas').width > 0")
    assert browser.execute_script("return songs[15].roll.querySelector('canvas').width") in (0, 300)  # 300: untouched
    browser.execute_script("scrollTo(0, document.body.scrollHeight)")
    wait(browser, "songs[15].roll.querySelector('canvas').width > 300")
    wait(browser, "songs[0].roll.querySelector('canvas').width === 0")


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_page_names_no_other_place(tmp_path):
    assert not re.search(r"https?:|(src|href)=\"(?!data:)|@import|url\(", written(tmp_path, GROUPS[:1]))


def test_a_midi_file_can_be_taken_along(tmp_path):
    (found,) = re.findall(r'data:application/octet-stream;base64,([^"]+)" download="first.mid"', written(tmp_path))
    assert base64.b64decode(found) == b"MThd\x00\xff"


def test_measures_stand_in_the_order_given(tmp_path):
    text = written(tmp_path, [Group("", (song(measures={"b": "1 < 2", "a": "3"}),))])
    assert re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', text) == [("b", "1 &lt; 2"), ("a", "3")]


def test_what_is_not_heard_is_said(tmp_path):
    text = written(tmp_path, note="no sound: there is no SoundFont")
    assert "no sound: there is no SoundFont" in text
    assert text.count("0:30 · sound: the first 0:08") == 1 and text.count("0:30 · without sound") == 1


def test_the_size_is_returned_and_kept(tmp_path):
    songs = tuple(song(str(number), sound=sound(3)) for number in range(4))
    whole = write(tmp_path / "page.html", "", [Group("", songs)])
    assert whole == (tmp_path / "page.html").stat().st_size
    largest = whole - len(songs[0].sound.content)
    text = written(tmp_path, [Group("", songs)], largest=largest)
    assert len(text.encode()) <= largest
    assert text.count('class="sound"') == 3 and "does not grow too large: the last 1." in text
    with pytest.raises(InputError, match=r"would hold [\d,]+ bytes without any sound; wanted at most 9,000"):
        write(tmp_path / "page.html", "", [Group("", songs)], largest=9000)


@pytest.mark.parametrize("groups", [[], [Group("Empty", ())]])
def test_a_page_without_songs_is_the_inputs_fault(groups, tmp_path):
    with pytest.raises(InputError, match="no song for the page; wanted one or more"):
        write(tmp_path / "page.html", "", groups)


def test_a_song_without_notes_is_the_inputs_fault(tmp_path):
    with pytest.raises(InputError, match="Nothing: holds no note to show; wanted one or more"):
        write(tmp_path / "page.html", "", [Group("", (PageSong("Nothing", np.empty(0, NOTE)),))])


def test_a_name_that_is_no_utf_8_can_be_written(tmp_path):
    assert "?.mid" in written(tmp_path, [Group("", (song(os.fsdecode(b"\xff.mid")),))])


def test_the_same_songs_give_the_same_page(tmp_path):
    assert written(tmp_path) == written(tmp_path)
    assert html.escape(EVIL) in written(tmp_path) and EVIL not in written(tmp_path)
