"""Large letters for one word: glyphs of five pixels' height, drawn with half blocks on three text rows.

Pure. Only A–Z and space: the words are states and labels.
"""

from __future__ import annotations

ROWS = 3

# Five rows of pixels each, top first, separated by "/". Narrow, so that UNCERTAIN fits half of an 80-column screen.
_GLYPHS = {
    "A": ".#./#.#/###/#.#/#.#",
    "B": "##./#.#/##./#.#/##.",
    "C": ".##/#../#../#../.##",
    "D": "##./#.#/#.#/#.#/##.",
    "E": "###/#../##./#../###",
    "F": "###/#../##./#../#..",
    "G": ".###/#.../#.##/#..#/.###",
    "H": "#.#/#.#/###/#.#/#.#",
    "I": "#/#/#/#/#",
    "J": "..#/..#/..#/#.#/.#.",
    "K": "#.#/#.#/##./#.#/#.#",
    "L": "#../#../#../#../###",
    "M": "#...#/##.##/#.#.#/#...#/#...#",
    "N": "#..#/##.#/#.##/#..#/#..#",
    "O": ".##./#..#/#..#/#..#/.##.",
    "P": "##./#.#/##./#../#..",
    "Q": ".##./#..#/#..#/#.##/.###",
    "R": "##./#.#/##./#.#/#.#",
    "S": ".##/#../.#./..#/##.",
    "T": "###/.#./.#./.#./.#.",
    "U": "#.#/#.#/#.#/#.#/###",
    "V": "#.#/#.#/#.#/#.#/.#.",
    "W": "#...#/#...#/#.#.#/##.##/#...#",
    "X": "#.#/#.#/.#./#.#/#.#",
    "Y": "#.#/#.#/.#./.#./.#.",
    "Z": "###/..#/.#./#../###",
    " ": "../../../../..",
}
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def large(word: str, width: int) -> list[str] | None:
    """Draw ``word`` in capitals on ``ROWS`` rows of equal length; None if it has other signs or exceeds ``width``."""
    glyphs = [_GLYPHS.get(letter) for letter in word.upper()]
    if not glyphs or None in glyphs:
        return None
    pixels = [".".join(parts) for parts in zip(*(glyph.split("/") for glyph in glyphs if glyph), strict=True)]
    if len(pixels[0]) > width:
        return None
    pixels.append("." * len(pixels[0]))
    return [
        "".join(_HALVES[above == "#", below == "#"] for above, below in zip(pixels[y], pixels[y + 1], strict=True))
        for y in range(0, 2 * ROWS, 2)
    ]
