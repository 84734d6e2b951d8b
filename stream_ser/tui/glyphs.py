"""Large letters for one word: glyphs of five pixels' height, drawn with half blocks on three text rows.

Pure. Only A–Z, hyphen and space: the words are labels.
"""

from __future__ import annotations

ROWS, DOUBLE_ROWS = 3, 5

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
    "-": ".../.../###/.../...",
    " ": "../../../../..",
}
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def large(word: str, width: int, *, double: bool = False) -> list[str] | None:
    """Draw ``word`` in capitals on ``ROWS`` rows of equal length, or twice as large on ``DOUBLE_ROWS``.

    None if it has other signs or exceeds ``width``.
    """
    glyphs = [_GLYPHS.get(letter) for letter in word.upper()]
    if not glyphs or None in glyphs:
        return None
    pixels = [".".join(parts) for parts in zip(*(glyph.split("/") for glyph in glyphs if glyph), strict=True)]
    if double:
        pixels = ["".join(2 * pixel for pixel in row) for row in pixels for _ in range(2)]
    if len(pixels[0]) > width:
        return None
    pixels += ["." * len(pixels[0])] * (len(pixels) % 2)
    return [
        "".join(_HALVES[above == "#", below == "#"] for above, below in zip(pixels[y], pixels[y + 1], strict=True))
        for y in range(0, len(pixels), 2)
    ]
