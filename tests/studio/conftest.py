import pytest

from serenity import completion
from serenity.listen import audio
from serenity.studio import server
from serenity.studio.session import Session
from tests.studio.test_session import write_seed


@pytest.fixture
def studio(model_folder, tmp_path):
    """A studio with the seed `seed.mid`, whose songs lie in `takes`."""
    (tmp_path / "takes").mkdir()
    session = Session(completion.load(model_folder), tmp_path / "takes", soundfont=audio.find_soundfont())
    session.open_file(write_seed(tmp_path / "seed.mid"))
    with server.running(session) as studio:
        yield studio
