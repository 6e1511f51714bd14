"""Makes the mathematical font that pages carry: what the printers write, of STIX Two Math.

    npm pack @fontsource/stix-two-math@5.3.0
    tar -xzf fontsource-stix-two-math-5.3.0.tgz
    pip install fonttools==4.68.0 brotli==1.2.1
    python tools/subset_font.py package/files/stix-two-math-latin-400-normal.woff2

The result is renamed, as a changed font should be; its licence stays what it was.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

SOURCE = "8b2a6834cfe1f4e0f3724ffa59fe92000013fc5a4c41e6a3f438006c26c60f0d"
"""The SHA-256 of STIX Two Math 2.12 b168a, as the package above holds it."""

TARGET = (
    Path(__file__)
    .parents[1]
    .joinpath("src", "chainrule", "explanation", "documents", "html", "chainrule-math.woff2")
)
FAMILY = "Chainrule Math"
LICENCE = "This Font Software is licensed under the SIL Open Font License, Version 1.1."
NAMES = {
    1: FAMILY,
    2: "Regular",
    3: f"{FAMILY}, a subset of STIX Two Math 2.12 b168a",
    4: f"{FAMILY} Regular",
    6: "ChainruleMath-Regular",
    13: LICENCE,
    14: "https://openfontlicense.org",
}
"""By the number of the entry; the copyright and the version stay."""

RANGES = (
    *((0x20, 0x7E), (0xA0, 0x17F)),  # Latin
    *((0x391, 0x3C9), (0x3D1, 0x3D6), (0x3F0, 0x3F6)),  # Greek
    *((0x2013, 0x2014), (0x2018, 0x201D), (0x2026, 0x2026), (0x2032, 0x2033)),  # marks
    *((0x2061, 0x2064), (0x2070, 0x208E)),  # function application, superscripts, subscripts
    *((0x2190, 0x2194), (0x21A6, 0x21A6)),  # arrows
    *((0x2200, 0x220F), (0x2211, 0x221E), (0x2223, 0x222B)),  # ∂ ∇ ∑ √ ∞ |
    *((0x2248, 0x2248), (0x2260, 0x2261), (0x2264, 0x2265), (0x226A, 0x226B)),  # relations
    *((0x2298, 0x2299), (0x22A4, 0x22A5), (0x22C5, 0x22C5), (0x22EE, 0x22F1)),  # ⊘ ⊙ · dots
    *((0x2308, 0x230B), (0x27E8, 0x27E9), (0x2713, 0x2717)),  # brackets, ✓ ✗
    *((0x1D434, 0x1D467), (0x210E, 0x210E)),  # italic Latin
    *((0x1D400, 0x1D433), (0x1D6E2, 0x1D71B)),  # bold Latin, italic Greek
    (0x1D7CE, 0x1D7D7),  # bold digits
)


def main(source: Path) -> None:
    """Writes the subset of `source` into the package."""
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != SOURCE:
        raise SystemExit(f"{source} is another file: SHA-256 {found}")
    font = TTFont(source, recalcTimestamp=False)
    options = subset.Options(
        flavor="woff2",
        hinting=False,
        glyph_names=False,
        layout_features=["kern", "mark", "mkmk", "ccmp"],
        name_IDs=["*"],
        notdef_outline=True,
        recalc_timestamp=False,
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
    subsetter.subset(font)
    for record in list(font["name"].names):
        if record.nameID not in (0, 5):
            font["name"].removeNames(nameID=record.nameID)
    for number, text in NAMES.items():
        font["name"].setName(text, number, 3, 1, 0x409)
    subset.save_font(font, TARGET, options)
    print(f"{TARGET}: {TARGET.stat().st_size} bytes, {len(font.getGlyphOrder())} glyphs")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
