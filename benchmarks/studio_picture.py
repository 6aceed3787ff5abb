"""The picture of the studio in its page: four takes of the example intro, one with a star, and a range that goes round.

    .venv/bin/python -m benchmarks.studio_picture      writes docs/studio.png; needs Chromium, as the tests of pages do
"""

import base64
import io
import os
import tempfile
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as generate.py has it

from PIL import Image

from serenity import completion
from serenity.files import write_whole
from serenity.listen import audio
from serenity.studio import server
from serenity.studio.session import Session
from tests import browser

ROOT = Path(__file__).resolve().parent.parent
SEED, MODEL, PICTURE = ROOT / "data" / "intro.mid", ROOT / "models" / "serenity-mini", ROOT / "docs" / "studio.png"
WIDTH, HEIGHT = 1280, 1000
COLOURS = 128  # a third of the bytes, and no eye sees it
READY = "songs().length === 4 && !latest.making && active === songs()[0]"
CHOOSE = "songs()[1].star.click(); setLoop(groups[0], barsBetween(groups[0], 9, 12))"


def main() -> None:
    """Make the takes and write the picture."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as profile:
        session = Session(completion.load(MODEL), Path(folder), soundfont=audio.find_soundfont())
        session.open_file(SEED, SEED.relative_to(ROOT))
        with server.running(session) as studio:
            window = browser.start(profile)
            try:
                write_whole(PICTURE, picture(window, studio.address))
            finally:
                window.quit()


def picture(window, address: str) -> bytes:
    """Return the picture as PNG."""
    browser.resize(window, WIDTH, height=HEIGHT)
    window.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    window.get(address)
    browser.wait(window, "songs().length === 1")
    window.execute_script("find('#make').click()")
    browser.wait(window, READY, 300)
    window.execute_script(CHOOSE)
    browser.wait(window, "stars.has(songs()[1].id) && groups[0].isLooping && !groups[0].waits")
    shot = base64.b64decode(window.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"])
    small = Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(content := io.BytesIO(), "PNG", optimize=True)
    return content.getvalue()


if __name__ == "__main__":
    main()
