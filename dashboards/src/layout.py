"""Places panels on Grafana's grid of 24 columns, so that nobody computes an x or a y by hand.

A dashboard is a list of sections (a row with a title), a section a list of shelves, a shelf a line of panels of one
height that fill the width together. What doesn't fill it is refused: holes and overlaps can't be made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .sdk import models

COLUMNS = 24


@dataclass(frozen=True)
class Shelf:
    """Panels side by side. `widths` in columns, one a panel; empty: equal parts. `height` in grid units of 38 px."""

    height: int
    panels: Sequence[models.Panel]
    widths: Sequence[int] = ()


@dataclass(frozen=True)
class Section:
    """One question of the on-call engineer, and the shelves that answer it."""

    title: str
    shelves: Sequence[Shelf]


def shelf(height: int, *panels: models.Panel, widths: Sequence[int] = ()) -> Shelf:
    """Return a shelf; ValueError when the widths don't fill the 24 columns exactly."""
    if not panels:
        raise ValueError("a shelf needs a panel")
    if not widths:
        if COLUMNS % len(panels):
            raise ValueError(f"{len(panels)} panels can't share {COLUMNS} columns equally: give widths")
        widths = [COLUMNS // len(panels)] * len(panels)
    if len(widths) != len(panels) or sum(widths) != COLUMNS or min(widths) < 1:
        raise ValueError(f"widths {list(widths)} of {len(panels)} panels don't fill {COLUMNS} columns")
    return Shelf(height, panels, widths)


def place(sections: Sequence[Section]) -> list[models.Panel | models.RowPanel]:
    """Return the rows and panels with their ids (1, 2, ... in reading order) and positions."""
    placed: list[models.Panel | models.RowPanel] = []
    y = 0
    for section in sections:
        placed.append(
            models.RowPanel(
                title=section.title,
                collapsed=False,
                id_val=len(placed) + 1,
                grid_pos=models.GridPos(h=1, w=COLUMNS, x=0, y=y),
                panels=[],
            )
        )
        y += 1
        for line in section.shelves:
            x = 0
            for panel, width in zip(line.panels, line.widths, strict=True):
                panel.id_val = len(placed) + 1
                panel.grid_pos = models.GridPos(h=line.height, w=width, x=x, y=y)
                placed.append(panel)
                x += width
            y += line.height
    return placed
