"""From a prompt to its tokens: windows, normalisation, one tokenisation, masking.

*Windows.* Work is bounded whatever the prompt's length: the first 24,576 and last 6,144
characters are normalised, and of their tokens the first 4,096 and last 1,024 are used.
Only the exact hash (one nanosecond a byte) reads the rest.

*Normalisation.* Lone surrogates become U+FFFD, then NFKC, no zero-width characters,
straight quotes, case folding. Unicode's stability policies fix all of it for assigned
characters; only a character newer than a Python's tables may read differently there.

*Tokens.* Words; runs of punctuation; quoted literals; line breaks; in scripts written
without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each character.

*Masking.* Numbers, quoted literals, and literals (with digits, underscores, dots or
slashes inside, or of more than 24 characters: addresses, paths, names of variables)
become placeholders, so that a template keeps its hashes when such fillings vary.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

__all__ = [
    "LINE_BREAK",
    "LONGEST_QUOTE",
    "LONGEST_WORD",
    "MOST_FIRST_TOKENS",
    "MOST_LAST_TOKENS",
    "PLACEHOLDERS",
    "SENTENCE_ENDS",
    "SPACELESS",
    "Window",
    "every_token",
    "is_quotation",
    "mask",
    "tokenise",
    "window",
]

HEAD_CHARACTERS = 24_576  # about 4,096 tokens of English
TAIL_CHARACTERS = 6_144
MOST_FIRST_TOKENS = 4_096
MOST_LAST_TOKENS = 1_024
LONGEST_WORD = 24  # longer ones are keys, digests, base64: fillings, not language
LINE_BREAK = "\n"

# Where a template's own words part from a filling. Measured with 500 word problems in
# "{} Let's think step by step.": all share their tail, without it 3 % do; prompts of
# people who only chat share no more heads or tails than without.
SENTENCE_ENDS = (LINE_BREAK, ".", "?", "!", ":", "...", "。", "।", "؟")

# The zero byte cannot begin a token that `mask` leaves as it is: it would be a
# punctuation run, and `window` takes zero bytes out.
_NUMBER, _LITERAL, _QUOTED = PLACEHOLDERS = ("\0n", "\0l", "\0q")

# Scripts without spaces between words. Hangul is not here: Korean has spaces.
SPACELESS = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana, iteration marks
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
# Vowel signs and points that belong to a word though Python's \w leaves them out.
_MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u064b-\u0670\u0900-\u0dff"
_INVISIBLE = re.compile(
    "[\0\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-"
    "\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
# Typographic quotes, as numbers since they look alike; straight ones replace them.
_SINGLE_QUOTES = (0x2018, 0x2019, 0x201A, 0x201B)
_DOUBLE_QUOTES = (0x201C, 0x201D, 0x201E, 0x201F)
_STRAIGHT = dict.fromkeys(_SINGLE_QUOTES, "'") | dict.fromkeys(_DOUBLE_QUOTES, '"')
_CURLY = re.compile("[\u2018-\u201f]")
LONGEST_QUOTE = 256  # characters; an opening quote without its pair costs no more

# Possessive quantifiers: a word never gives back, and matching is a tenth faster.
_JOINTS = r"(?:['./@]\w++|[,:-]\d\w*+|://\S++)*+"
_REST = (
    r"|\n(?=[^\S\n]*\S)"
    rf'|"[^"\n]{{0,{LONGEST_QUOTE}}}"'
    rf"|(?<!\w)'[^'\n]{{1,{LONGEST_QUOTE}}}'(?!\w)"
    rf"|`[^`\n]{{1,{LONGEST_QUOTE}}}`"
)
_ASCII = re.compile(rf"\w++{_JOINTS}{_REST}" r"|[^\w\s\"'`]+|`+|[\"']", re.ASCII)
_UNICODE = re.compile(
    rf"[{SPACELESS}]"
    rf"|[^\W{SPACELESS}]+"
    rf"(?:['./@][^\W{SPACELESS}]+|[,:-]\d[^\W{SPACELESS}]*|://\S+"
    rf"|[{_MARKS}]+[^\W{SPACELESS}]*)*"
    rf"{_REST}"
    rf"|«[^»\n]{{0,{LONGEST_QUOTE}}}»|「[^」\n]{{0,{LONGEST_QUOTE}}}」"
    rf"|『[^』\n]{{0,{LONGEST_QUOTE}}}』|《[^》\n]{{0,{LONGEST_QUOTE}}}》"
    rf"|[^\w\s\"'`«「『《{SPACELESS}]+|`+|[\"'«「『《]"
)
_OPENING = frozenset("\"'«「『《")
_LITERAL_PART = re.compile(r"[\d_./@:]")


class Window(NamedTuple):
    """What of a prompt is read, normalised; `folded` is `shown` with its case folded.

    ``middle`` is what lies between the windows, as bytes, for the exact hash alone.
    """

    shown: str
    folded: str
    middle: bytes


def window(text: str) -> Window:
    r"""Cut and normalise; never raises on any string.

    >>> window("\uff25rste\u200b Straße \ud800").folded
    'erste strasse \ufffd'
    """
    middle = b""
    if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        between = text[HEAD_CHARACTERS:-TAIL_CHARACTERS]
        middle = between.encode("utf-8", "surrogatepass")
        text = f"{text[:HEAD_CHARACTERS]}\n{text[-TAIL_CHARACTERS:]}"
    if text.isascii():
        if "\0" in text:
            text = text.replace("\0", "")
        return Window(text, text.lower(), middle)
    shown = _normalise(text)
    if len(shown) > HEAD_CHARACTERS + TAIL_CHARACTERS + 1:
        # NFKC may lengthen a text up to 18 times (U+FDFA).
        shown = f"{shown[:HEAD_CHARACTERS]}\n{shown[-TAIL_CHARACTERS:]}"
    return Window(shown, shown.casefold(), middle)


def _normalise(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        # Pairs of surrogates become the character they stand for, lone ones U+FFFD.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    text = _INVISIBLE.sub("", text)
    return text.translate(_STRAIGHT) if _CURLY.search(text) else text


def tokenise(folded: str) -> list[str]:
    r"""Cut folded text into tokens, unmasked; a line break is a token of its own.

    >>> tokenise('let\'s add 3.5 to "x y"\n\n- 一步')
    ["let's", 'add', '3.5', 'to', '"x y"', '\n', '-', '一', '步']
    """
    tokens = every_token(folded, ascii_only=folded.isascii())
    if len(tokens) > MOST_FIRST_TOKENS + MOST_LAST_TOKENS:
        tokens = tokens[:MOST_FIRST_TOKENS] + tokens[-MOST_LAST_TOKENS:]
    return tokens


def every_token(folded: str, *, ascii_only: bool) -> list[str]:
    """Cut like `tokenise`, but keep all tokens of a text longer than the windows.

    ``ascii_only`` says that not only this part but all of its text is ASCII.
    """
    return (_ASCII if ascii_only else _UNICODE).findall(folded)


def is_quotation(token: str) -> bool:
    """Tell whether a token is a quoted literal, not a quotation mark left alone.

    >>> [is_quotation(token) for token in ('"any"', '"', "```", "`any`")]
    [True, False, False, True]
    """
    first = token[0]
    return len(token) > 1 and (first in _OPENING or (first == "`" != token[1]))


def mask(token: str) -> str:
    """Give the placeholder of a token that may be a filling, else the token itself.

    >>> [mask(t)[-1] for t in ("12.50", "user_id", "docs.x.org/a", '"any"')]
    ['n', 'l', 'l', 'q']
    >>> mask("step")
    'step'
    """
    first = token[0]
    if first.isdigit():
        return _NUMBER
    if is_quotation(token):
        return _QUOTED
    if len(token) > LONGEST_WORD:
        return _LITERAL
    if (first == "_" or first.isalnum()) and _LITERAL_PART.search(token):
        return _LITERAL
    return token
