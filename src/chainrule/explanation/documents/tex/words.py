"""Words in LaTeX: nothing in them acts, and each letter is seen, whatever the fonts are."""

from __future__ import annotations

import re
import unicodedata

from chainrule.explanation.printers.latex import text as inert

__all__ = ["CODE", "WIDE", "escaped", "plain", "representable", "words"]

CODE = 8
"""Characters of a letter that is shown by its code: [U+0386]."""

LONGEST_WORD = 30
"""Letters of a word after which a line may end within it; no number is as long."""

_SIGNS = {
    "→": r"\to",
    "←": r"\leftarrow",
    "≈": r"\approx",
    "≠": r"\ne",
    "≤": r"\le",
    "≥": r"\ge",
    "−": "-",
    "·": r"\cdot",
    "×": r"\times",
    "±": r"\pm",
    "∞": r"\infty",
    "∑": r"\sum",
    "√": r"\surd",
    "½": r"\tfrac12",
    "⊙": r"\odot",
    "⊘": r"\oslash",
    "ᵀ": r"^{\mathsf T}",
    **{raised: f"^{sign}" for raised, sign in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁽⁾", "0123456789+()", strict=True)},
    "⋮": r"\vdots",
    "✓": r"\checkmark",
    "✗": r"\times",
}
_LATIN = "ÆæŒœØøßŁłıȷ"
_PUNCTUATION = "“”‘’–—…"
_CJK = "\u3000-\u9fff\uff00-\uffef"
_OPENING = "（《「『【〈〔"
_ACCENTS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327"


def escaped(text: str) -> str:
    """User's and catalogue's words, with nothing in them that LaTeX would act on."""
    pieces = re.findall(rf"[{_CJK}]|[^ {_CJK}]{{1,{LONGEST_WORD}}}|.", text, re.DOTALL)
    return "".join(
        inert(piece) + _break(piece, following)
        for piece, following in zip(pieces, [*pieces[1:], " "], strict=True)
    )


def _break(piece: str, following: str) -> str:
    """What lets a line end: within a long word, and between Chinese and a Latin word."""
    if len(piece) == LONGEST_WORD:
        return r"\allowbreak{}"
    chinese = re.fullmatch(f"[{_CJK}]", piece) and piece not in _OPENING
    return r"\penalty0 " if chinese and re.match(f"[^ {_CJK}]", following) else ""


def words(text: str) -> str:
    """The same where lines are broken: within words, they are not all of one length."""
    written = escaped(text)
    return rf"\raggedright {written}" if r"\allowbreak" in written else written


def plain(text: str) -> str:
    """The same for a bookmark or a title outside the page."""
    return inert(text[:200])


def representable(written: str, wide: bool) -> str:
    """The same with signs as mathematics, and by their codes the letters that a font may lack.

    That font is an old one of pdfLaTeX's, or with `wide` a Chinese one.
    """

    def letter(found: re.Match[str]) -> str:
        character = found[0]
        if character in _SIGNS:
            return rf"\ensuremath{{{_SIGNS[character]}}}"
        known = re.match(f"[{_CJK}]", character) if wide else _is_latin(character)
        if known or character in _PUNCTUATION:
            return character
        return rf"\character{{{ord(character):04X}}}{{{character}}}"

    return re.sub(r"[^\x00-\x7f]", letter, written)


def _is_latin(character: str) -> bool:
    """Whether it is a Latin letter of its own, or one with an accent."""
    parts = unicodedata.normalize("NFD", character)
    letter, accents = parts[0], parts[1:]
    accented = letter.isascii() and letter.isalpha() and len(accents) == 1 and accents in _ACCENTS
    return accented or character in _LATIN


WIDE_FONTS = (
    "Noto Serif CJK SC",
    "Source Han Serif SC",
    "Songti SC",
    "SimSun",
    "FandolSong-Regular.otf",
    "Noto Sans CJK SC",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
)
_FOUND = (
    r"\usepackage{fontspec}",
    r"\newcommand\trywide[1]{\ifdefined\widefont\else"
    r"\IfFontExistsTF{#1}{\def\widefont{#1}}{}\fi}",
    *(rf"\trywide{{{font}}}" for font in WIDE_FONTS),
)
WIDE = {
    "en": (
        r"\ifdefined\Umathchar",
        *_FOUND,
        r"\ifdefined\widefont\newfontfamily\widefamily{\widefont}\fi",
        r"\fi",
    ),
    "zh": (
        r"\ifdefined\Umathchar\else",
        r"\errmessage{This document is Chinese: set it with lualatex or xelatex}\stop",
        r"\fi",
        *_FOUND,
        r"\ifdefined\widefont\else",
        r"\errmessage{This document is Chinese: install a font such as Noto Serif CJK SC}\stop",
        r"\fi",
        r"\usepackage{babel}",
        r"\babelprovide[import,main]{chinese-hans}",
        r"\babelfont{rm}{\widefont}",
    ),
}
"""What gives the letters of Chinese, by the language of the document."""
