"""Histograms of the songs' measures: what the filters see, and where they cut."""

from collections.abc import Sequence
from math import isinf
from pathlib import Path
from textwrap import fill

import numpy as np

from serenity.music import quality

COLUMNS = 5
KEPT, REFUSED, EDGE = "#405c8e", "#d45c3a", "#343a46"


def save(path: Path, lines: Sequence[dict]) -> None:
    """Draw a picture of the report's lines (selection.select): a histogram for each measure and for the score.

    Songs without measures, which could not be read, are not in it.
    """
    import matplotlib

    matplotlib.use("Agg")  # draws into files, whatever screen there is
    from matplotlib import pyplot

    lines = [line for line in lines if line["measures"]]
    rows = {**quality.MEASURES, "score": quality.Measure("higher is more pop", quality.LOWEST_SCORE)}
    figure, axes = pyplot.subplots(-(-len(rows) // COLUMNS), COLUMNS, figsize=(16, 13), constrained_layout=True)
    for axis in axes.flat[len(rows):]:
        axis.set_visible(False)
    for axis, (name, row) in zip(axes.flat, rows.items()):
        values = np.array([line["score"] if name == "score" else line["measures"][name] for line in lines])
        kept = np.array([line["kept"] for line in lines], bool)
        low, high = np.percentile(values, [0.5, 99.5]) if len(values) else (0, 1)
        bins = np.linspace(low, max(high, low + 1e-6), 31)
        axis.hist([np.clip(values[kept], low, high), np.clip(values[~kept], low, high)], bins, stacked=True,
                  color=[KEPT, REFUSED])
        for edge in (row.lowest, row.highest):
            if not isinf(edge) and bins[0] <= edge <= bins[-1]:
                axis.axvline(edge, color=EDGE, linestyle="--")
        axis.set_title(name.replace("_", " "), fontsize=10)
        axis.set_xlabel(fill(row.what, 44), fontsize=7)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{sum(line['kept'] for line in lines):,} songs kept (blue), "
                    f"{sum(not line['kept'] for line in lines):,} refused (red); dashed: the range", fontsize=12)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
