#!/usr/bin/env python3
"""Writes Tests/DRConvertTests/Fixtures/clip_golden.json: what open_clip's tokenizer makes of difficult texts.

Needs open_clip_torch (tried: 3.3.0), with ftfy (6.3.1) and regex. Each case has the text, its token ids, and whether
ftfy changes the text.
"""

import json
import pathlib
import unicodedata

import ftfy
from open_clip.tokenizer import SimpleTokenizer

OUTPUT = pathlib.Path(__file__).parent.parent / "Tests/DRConvertTests/Fixtures/clip_golden.json"

TEXTS = """
a photo of a cat|A Photo Of A CAT|two dogs, playing   in the snow!|It's the dog's ball; they're mine, I'll go, we've won
DON'T STOP|I'M HERE|HE'D'VE|'strange 'tis 'mine 'dog|''s|o'clock rock'n'roll|'s's's|"'s"|can't've|'\u017f|x'\u017fs
<start_of_text>|<end_of_text>|a <start_of_text> b <end_of_text>|<START_OF_TEXT>|<\u017ftart_of_text>|<start_of_text
<<start_of_text>>|x<end_of_text>y|<|start_of_text|</w>|a</w> b</w>|&lt;end_of_text&gt;|<start_of_text><start_of_text>
snake_case_name __init__ _|a_b_c 1_2|#hashtag @user $5.00 100% 3.14 1,000,000|2023-01-02T03:04|C++ & C# | - -- --- ----
...|!!!|?!?!|(a) [b] {c}|~`^|\\\\ / |http://example.com/a?b=c&d=e#f|user@example.com|IMG_2041.JPG|1920x1080px|ISO-8859-1
&|a & b|&&|&amp;|&amp;amp;|&amp;amp;lt;|&amp;lt;|&lt|&lt;b&gt;|&notit;|&notin;|&not|&ampamp;|&AMP;|&AMP|&copy;|&copy 2020
&COPY|&eacute;|&EACUTE;|&Eacute;t&eacute;|caf&eacute;|caf&eacute|&frac12;|&nbsp;|a&nbsp;b|a&nbspb|&NBSP;|&hearts;|&euro;5
&#39;|&#x27;|&#X27;|it&#39;s|it&#x2019;s|&rsquo;|&ldquo;hi&rdquo;|&hellip;|&mdash;|&#8211;|&#169;|&#128512;|&#x1F600;|&#x1F600
&#0;|&#13;|&#128;|&#150;|&#x80;|&#xD800;|&#x110000;|&#99999999999999999999;|&#1;|&#xFFFE;|&#xFDD0;|&#;|&#x;|&#xg;|&#12ab
&zwj;|&bogus;|&Aacute|&aacutex|&fjlig;|&NotEqualTilde;|&ThickSpace;|&bne;|&CounterClockwiseContourIntegral;|&lt;b>&amp;lt;
<p>&amp;amp;lt;</p>|<b>&eacute;</b>|&quot;quoted&quot;|&apos;s|&#x26;amp;|&#38;lt;|&amp;#39;|&amp;#x27;s|&amp;eacute;
\u00e9t\u00e9 na\u00efve fa\u00e7ade \u00fcber Stra\u00dfe|\u00c9COLE|\u00c5ngstr\u00f6m|\u212b|\u212aelvin|\u2126|\u1e9e
\u0130stanbul \u0130I\u0131i|I\u015eIK|\u0391\u03a3|\u039f\u0394\u039f\u03a3 \u0391\u03a3\u0391|\u03a3|\u03a3\u03a3|\u03b1\u03a3.
\u0391\u03a3\u2019\u0391|\u0391'\u03a3|\u0391\u03a3'|\u0391\u0387\u03a3|a\u00ad\u03a3|\u0391\u03a3:\u0391|\u1f48\u03b4\u03cd\u03c3\u03c3\u03b5\u03b9\u03b1
\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!|\u0401\u043b\u043a\u0430 \u0438 \u0401\u0436|\u00ab\u041b\u0451\u0448\u0430\u00bb \u2014 \u0434\u043e\u043c \u2116 5
\u4f60\u597d\u4e16\u754c|\u6771\u4eac\u30bf\u30ef\u30fc|\u3072\u3089\u304c\u306a|\uc548\ub155\ud558\uc138\uc694|\u4e00\u4e8c\u4e09 3\u4eba|\u3000\u5168\u89d2\u3000
\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645|\u05e9\u05dc\u05d5\u05dd|\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35|\u0928\u092e\u0938\u094d\u0924\u0947|\u0ba4\u0bae\u0bbf\u0bb4\u0bcd
\u0660\u0661\u0662 \u06f3\u06f4 \u0967\u0968|\u2460\u2461 \u2160\u2163 \u00bd\u00b2|\u0be7\u0bf0|\U0001d7d8\U0001d7d9|\u4e96\u5341
\U0001f600|\U0001f600\U0001f600|hi\U0001f600there|\U0001f468\u200d\U0001f469\u200d\U0001f467|\U0001f44d\U0001f3fd|\U0001f1e9\U0001f1ea|\u2764\ufe0f|1\ufe0f\u20e3
\U0001fa77|\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f|\u263a|\u2603 snowman|\U0001d400\U0001d4d0
e\u0301|cafe\u0301|x\u0301|\u0301|a\u0323\u0307|a\u0307\u0323|q\u0307\u0323|\u1100\u1161|\u0915\u093c|\u0345|a\u0345b|\u03b1\u0345
\u201chello\u201d|don\u2019t|\u2018a\u2019|\u201alow\u201e|\u00ab\u00c9cole\u00bb|\u02bc|l\u2019\u00e9t\u00e9|\u2032\u2033
\ufb01sh \ufb02ow|\u0133s|\u01c6|\u0149|\u017f\u017f|\uff21\uff22\uff23 \uff11\uff12|\uff76\uff9e|\uffe5|\uff5e
\u4f60\u597d\uff0c\u4e16\u754c\uff01|\uff08\uff21\uff09\uff1a\u4e09|\uff76\uff85 \uff61\uff70|\uff26\uff2f\uff2f\uff07\uff33|\uff06amp;|\uff1cb\uff1e|\uff0325\u3000\uff05|\u00e9\uff21\u00c3|\uff02\u00c9\uff02
\u00c3\u00a9t\u00c3\u00a9|caf\u00c3\u00a9|\u00e2\u20ac\u2122s|\u00c2\u00a9 2020|\u00e2\u20ac\u0153hi\u00e2\u20ac\u009d|\u00c3 la mode|\u0432\u0402\u201d
a\u2013b \u2014 c|20\u00b0C|\u00a35 \u20ac10 \u00a5100|5\u00d74|\u00b1\u00b2|caf\u00e9\u2122|\u00bfQu\u00e9?|\u00a1Hola!|na\u00efve\u2026|\u0153uvre|c\u0153ur|\u0152
\u00c2 A|\u00c5 i|\u00e0 la carte|\u00c0 bient\u00f4t|l\u00e0\u00bb|\u00f1\u00bf|\u00d8\u00b5|\u2020\u2021|\ufffd|a\ufffdb|\ufffd\ufffd\u00e9|\u00e9\ufffd
\u200b|a\u200bb|a\u200db|a\u00adb|\u2060|\u061c|\u180e|a\ufeffb|\ufeffa|\ufff9|\u206a|\u202aabc\u202c
\u0870|\ua7cb|\ua7da|\U00010d50|\U0001e030|\u10d0\u10b0|\u1c90|\u13a0\uab70|\ua64a|\u2c2f|\U00010400\U00010428|\ua7ae
antidisestablishmentarianism|supercalifragilisticexpialidocious|pneumonoultramicroscopicsilicovolcanoconiosis|zzzzzzzzzzzzzz
""".strip("\n").split("\n")

EXTRA = [
    "", " ", "\n", "\t\r\n", "a\tb", "a\nb", "a\r\nb", "a\rb", "a\x0bb", "a\x0cb", "a\x1cb", "a\x1db", "a\x1eb",
    "a\x1fb", "a\x85b", "a\xa0b", "a\u1680b", "a\u2000b", "a\u2007b", "a\u200ab", "a\u2028b", "a\u2029b", "a\u202fb",
    "a\u205fb", "a\u3000b", "\x00", "a\x00b", "\x1b[31mred\x1b[0m", "\x7f", "a\x80b", "a\x99s", "a\x08b", "a|b", "||",
    "  leading and trailing  ", "a" * 40, "ab" * 300, "x" * 1000, "aeiou" * 50, "1" * 30, "!" * 100, "-" * 33,
    "word " * 60, "\u00e9" * 50, "\u4e2d" * 40, "\U0001f600" * 20, "<b>\n&amp;lt;", "&amp;lt;\n<b>", "a\n&lt;\nb",
    "\u041b\u0451" * 20, "&" + "a" * 40 + ";", "&amp" * 5, "&lt\r;", "&lt\n;", "I\u0307", "A\u03a3\u0301", "A\u03a3\u0301B",
    "the quick brown fox jumps over the lazy dog", "a woman in a red dress is standing next to a bicycle.",
]


def sampled_code_points() -> list[str]:
    """One text for every few hundred assigned code points, so that no script is left out."""
    assigned = [p for p in range(0xA0, 0x32000) if unicodedata.category(chr(p)) not in ("Cn", "Co", "Cs")]
    step = 389
    return ["a" + chr(p) + chr(assigned[(i * step + 7) % len(assigned)]) + "b"
            for i, p in enumerate(assigned[::step])]


def main() -> None:
    tokenizer = SimpleTokenizer()
    texts = [text for line in TEXTS for text in line.split("|")] + EXTRA + sampled_code_points()
    cases = [
        {"text": text, "ids": tokenizer.encode(text), "changedByFtfy": ftfy.fix_text(text) != text}
        for text in dict.fromkeys(texts)
    ]
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    OUTPUT.write_text("[\n" + lines + "\n]\n", encoding="ascii")


if __name__ == "__main__":
    main()
