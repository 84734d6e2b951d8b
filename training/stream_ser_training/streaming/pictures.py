"""The page's pictures, from the stored figures alone: what alerts trade, and what happens to sound on its way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from stream_ser_training.plots import COLOURS, STYLE, panels, save

Records = Sequence[dict[str, Any]]


@mpl.rc_context(STYLE)
def trade(records: Records, path: Path, sides: dict[str, str], shipped: float) -> Path:
    """Angry stretches caught, and caught within 4 s, against false alerts, along the evidence that is needed.

    A panel for each record with a curve; a ring marks what is ``shipped``. ``sides`` names whose voices they are.
    """
    figure, axes = panels(len(records), 3.6, 3.0)
    for axis, record in zip(axes, records, strict=True):
        for place, (band, rows) in enumerate(record["curve"].items()):
            told = [row for row in rows if "caught" in row]
            false = [row["false_in_20_min"] for row in told]
            for key, line in (("caught", "-"), ("within_4_s", "--")):
                values = [100.0 * row[key] for row in told]
                name = f"{band}, {'caught' if key == 'caught' else 'within 4 s'}"
                axis.plot(
                    false, values, line, color=COLOURS[place], marker=".", markersize=3.0, linewidth=1.0, label=name
                )
                for x, y, row in zip(false, values, told, strict=True):
                    if row["evidence"] == shipped:
                        axis.plot([x], [y], "o", color=COLOURS[place], markersize=8.0, fillstyle="none")
        axis.axvline(1.0, color="0.7", linewidth=0.8)
        axis.set_xlim(left=-0.2)
        axis.set_ylim(0.0, 100.0)
        axis.set_title(f"{record['model']}\n{sides[record['side']]}")
        axis.set_xlabel("false in 20 minutes of other sound")
        axis.set_ylabel("stretches of anger, %")
    axes[0].legend(loc="lower right", fontsize=6.0, frameon=False)
    return save(figure, path)


@mpl.rc_context(STYLE)
def on_the_way(records: Records, path: Path, sides: dict[str, str]) -> Path:
    """Mean recall by what happened to the sound, with its spread over speakers; a panel for each record with a grid."""
    figure, axes = panels(len(records), 3.6, 3.4)
    for axis, record in zip(axes, records, strict=True):
        conditions = list(record["grid"].items())
        values = [100.0 * told["UA"] for _, told in conditions]
        around = [100.0 * (told.get("spread", {}).get("UA") or 0.0) for _, told in conditions]
        axis.barh(range(len(values)), values, xerr=around, color=COLOURS[0], height=0.6, error_kw={"linewidth": 0.8})
        axis.axvline(values[0], color="0.5", linewidth=0.8)
        axis.set_yticks(range(len(values)), [name for name, _ in conditions], fontsize=6.0)
        axis.invert_yaxis()
        axis.set_xlim(0.0, 100.0)
        axis.set_title(f"{record['model']}\n{sides[record['side']]}")
        axis.set_xlabel("UA, %")
    return save(figure, path)
