"""Values that two or more scripts share. Imports nothing heavy."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent

MIDI = Path("data/midi")      # what fetch.py gathers and preprocess.py reads
ABC = Path("data/abc")        # songs as text: what preprocess.py writes first
TOKENS = Path("data/tokens")  # songs as numbers: what preprocess.py writes last and train.py reads

MODEL = ROOT / "models" / "serenity-mini"  # the model that ships with the project
EXAMPLE_SEED = ROOT / "data" / "intro.mid"  # the intro that generate.py completes when no seed is named
