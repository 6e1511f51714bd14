"""Make the font of the Chinese catalogue: its characters, cut out of Noto Serif CJK SC.

    pip install fonttools
    python tools/subset_cjk.py NotoSerifCJK-Regular.ttc

To be run again when a catalogue has a character that the font lacks.  The source is
version 2.001 of https://github.com/notofonts/noto-cjk, packaged for Debian and Ubuntu as
`fonts-noto-cjk`, where it lies in /usr/share/fonts/opentype/noto.  It is under the SIL Open
Font License; what is cut out of it has a name of its own, for Noto is a trademark.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

SHA256 = "a04178ec485dffdff7cc0c0c20e1fce9202d7e2160d805e8e44a4c8841c58481"
SIMPLIFIED_CHINESE = 2
"""The place of the font in the collection."""

FAMILY = "Chainrule Song"
EXPLANATION = Path(__file__).parent.parent / "src" / "chainrule" / "explanation"
FONT = EXPLANATION / "documents" / "pdf" / "fonts" / "ChainruleSong-Regular.otf"
KEPT_NAMES = (0, 8, 9, 10, 11, 12, 13, 14)
"""Copyright, makers and licence."""


def characters() -> str:
    """Every character of the Chinese catalogues that no Latin font has."""
    texts = [
        "".join(json.loads((EXPLANATION / "messages" / name).read_text(encoding="utf-8")).values())
        for name in ("zh.json", "speech.zh.json")
    ]
    return "".join(sorted({character for character in "".join(texts) if ord(character) >= 0x2E80}))


def cut(source: Path) -> TTFont:
    """The font with these characters alone, under its own name."""
    font = TTFont(source, fontNumber=SIMPLIFIED_CHINESE, recalcTimestamp=False)
    options = subset.Options(
        layout_features=[], hinting=False, desubroutinize=True, name_IDs=list(KEPT_NAMES)
    )
    cutter = subset.Subsetter(options)
    cutter.populate(text=characters())
    cutter.subset(font)
    names = font["name"]
    postscript = FAMILY.replace(" ", "")
    for number, text in ((1, FAMILY), (2, "Regular"), (4, FAMILY), (6, f"{postscript}-Regular")):
        names.setName(text, number, 3, 1, 0x409)
    names.setName(f"{postscript}-Regular", 3, 3, 1, 0x409)
    cff = font["CFF "].cff
    cff.fontNames = [f"{postscript}-Regular"]
    top = cff.topDictIndex[0]
    top.FullName, top.FamilyName = FAMILY, FAMILY
    for part in top.FDArray:
        part.FontName = f"{postscript}-Regular"
    return font


def main() -> None:
    """Write the font, if the source is the one that it should be."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source = Path(sys.argv[1])
    if hashlib.sha256(source.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{source} is not version 2.001 of NotoSerifCJK-Regular.ttc")
    cut(source).save(FONT)
    print(f"{FONT.name}: {len(characters())} characters, {FONT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
