"""A song's file becomes the song and what is made of it."""

from serenity.music.family import read
from serenity.settings import CodecSettings, SongSettings

BARS = 4 * (("C", "cdec"), ("Am", "e2A2"), ("F", "fgaf"), ("G7", "g2d2"))


def test_a_lead_sheet_is_there_with_and_without_its_chords_and_its_melody_is_the_written_one(tmp_path):
    tune = "".join(f'"{chord}"{notes}|' for chord, notes in BARS)
    (tmp_path / "lead.abc").write_text(f"X:1\nL:1/4\nM:4/4\nK:C\n{tune}\n")
    songs = read(tmp_path / "lead.abc", "lead.abc", "lead", CodecSettings(), SongSettings(synthetic=24))
    names = [song.synthetic for song in songs]
    assert names[:2] == ["", "melody"] and names.count("melody") == 1 and len(names) > 5
    lead, melody = songs[:2]
    assert len(melody.events) == 4 * 12 < len(lead.events)
    assert (lead.group, lead.key) == (melody.group, melody.key)
