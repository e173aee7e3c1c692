"""Names of character sets as mail writes them, and which codec of Python reads each: an allow-list.

The base is the table of labels of the WHATWG Encoding Standard (4.2), which is what browsers and mail programs go by:
it reads ISO-8859-1 and US-ASCII as windows-1252, GB2312 as GB18030, Shift_JIS as windows-31J, EUC-KR as UHC. Mail has
more spellings than any table (``cp-850``, ``x-windows-1251``, ``ms936``), so a label is compared by its letters and
digits, and a number by what it means; the libraries that hold the table know its own spellings only. Codecs that are no
character set (punycode, idna, unicode-escape …) are never reached.
"""

from __future__ import annotations

import re
from functools import lru_cache

_NAMES = {
    "utf_8": "utf8 utf8sig utf8n utf8mb3 utf8mb4 utf8mac utf8bom unicode11utf8 unicode20utf8 unicodeutf8",
    "utf_7": "utf7 unicode11utf7 unicode20utf7",
    "utf_16": "utf16 unicode unicodefeff ucs2 iso10646ucs2 iso10646 unicode16 csunicode",
    "utf_16_le": "utf16le ucs2le unicodelittle",
    "utf_16_be": "utf16be ucs2be unicodefffe unicodebig",
    "utf_32": "utf32 ucs4 iso10646ucs4 csucs4",
    "utf_32_le": "utf32le ucs4le",
    "utf_32_be": "utf32be ucs4be",
    "cp1252": "ascii usascii ansix341968 ansix341986 iso646us iso646irv1991 isoir6 us latin1 l1 isoir100"
    " isolatin1 ansi 646"
    " iso88591windows31latin1",
    "iso8859_2": "latin2 l2 isoir101 isolatin2",
    "iso8859_3": "latin3 l3 isoir109 isolatin3",
    "iso8859_4": "latin4 l4 isoir110 isolatin4",
    "iso8859_5": "cyrillic ecmacyrillic isoir144 isolatincyrillic",
    "iso8859_6": "arabic asmo708 ecma114 isoir127 isolatinarabic",
    "iso8859_7": "greek greek8 ecma118 elot928 suneugreek isoir126 isolatingreek",
    "iso8859_8": "hebrew isoir138 isolatinhebrew logical visual",
    "iso8859_10": "latin6 l6 isoir157 isolatin6",
    "iso8859_13": "latin7 l7",
    "iso8859_14": "latin8 l8 isoceltic isoir199",
    "iso8859_15": "latin9 latin0 l9 isolatin9",
    "iso8859_16": "latin10 l10 isoir226",
    "cp1254": "latin5 l5 isoir148 isolatin5",
    "cp874": "tis620 tis6200 tis6202533 tis62025330 tis62025331 thai iso885911",
    "koi8_r": "koi8r koi8 koi",
    "koi8_u": "koi8u koi8ru",
    "koi8_t": "koi8t",
    "kz1048": "kz1048 rk1048 strk10482002",
    "ptcp154": "ptcp154 pt154 cp154 cyrillicasian",
    "hp_roman8": "hproman8 roman8 r8",
    "mac_roman": "macintosh mac macroman macus",
    "mac_cyrillic": "maccyrillic macukrainian",
    "mac_latin2": "macce maccentraleurope maccentralroman maceastereurope maclatin2",
    "mac_croatian": "maccroatian",
    "mac_greek": "macgreek",
    "mac_iceland": "maciceland macicelandic",
    "mac_romanian": "macromania macromanian",
    "mac_turkish": "macturkish",
    "gb18030": "gb18030 gb180302000 gbk iso58gb231280 cngb gb2312 gb231280 gb23121980 chinese isoir58"
    " euccn eucgb2312cn",
    "hz": "hz hzgb hzgb2312",
    "big5hkscs": "big5 big52003 big5hkscs2004 big5hkscs big5eten cnbig5 xbig5 big5tw",
    "cp932": "shiftjis sjis mskanji windows31j shiftjisx0213 shiftjis2004 pcksjis",
    "euc_jp": "eucjp eucpkdfmtjapanese eucjpms ujis extendedunixcodepackedformatforjapanese eucjisx0213 eucjis2004",
    "iso2022_jp": "iso2022jp iso2022jp1 iso2022jp2 iso2022jp2004 iso2022jp3 iso2022jpext iso2022jpms jis jis7 junet",
    "cp949": "euckr ksc56011987 ksc56011989 ksc5601 ksx1001 kscx1001 korean isoir149 uhc ms949",
    "johab": "johab",
    "iso2022_kr": "iso2022kr",
}
_CODEPAGES = {
    **{number: f"cp{number}" for number in (437, 720, 737, 775, 850, 852, 855, 857, 858, *range(860, 867), 869, 874)},
    **{number: f"cp{number}" for number in (932, 949, 950, 1006, 1125, *range(1250, 1259))},
    **{28590 + number: f"iso8859_{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    936: "gb18030",
    54936: "gb18030",
    20936: "gb18030",
    51936: "gb18030",
    52936: "hz",
    943: "cp932",
    942: "cp932",
    819: "cp1252",
    367: "cp1252",
    20127: "cp1252",
    28591: "cp1252",
    28599: "cp1254",
    28601: "cp874",
    38598: "iso8859_8",
    20866: "koi8_r",
    878: "koi8_r",
    21866: "koi8_u",
    1361: "johab",
    970: "cp949",
    51949: "cp949",
    50225: "iso2022_kr",
    50220: "iso2022_jp",
    50221: "iso2022_jp",
    50222: "iso2022_jp",
    51932: "euc_jp",
    20932: "euc_jp",
    33722: "euc_jp",
    65000: "utf_7",
    65001: "utf_8",
    1208: "utf_8",
    1200: "utf_16_le",
    1201: "utf_16_be",
    12000: "utf_32_le",
    12001: "utf_32_be",
    10000: "mac_roman",
    10006: "mac_greek",
    10007: "mac_cyrillic",
    10010: "mac_romanian",
    10029: "mac_latin2",
    10079: "mac_iceland",
    10081: "mac_turkish",
    10082: "mac_croatian",
    154: "ptcp154",
}
_CODECS = {name: codec for codec, names in _NAMES.items() for name in names.split()}
_ISO_8859 = re.compile(r"(?:iso)?8859(1[0-6]|[1-9])(?:19\d\d|20\d\d)?[ei]?")
_CODEPAGE = re.compile(r"(?:windows|win|codepage|cp|ibm|ms|dos|oem|ansi|msansi|pc|ccsid)?0*(\d{3,5})")
_OTHER = re.compile(r"[^a-z0-9]+")
_LONGEST = 60


@lru_cache(maxsize=1024)
def codec_of(label: str) -> str | None:
    """The name of Python's codec for a label, however it is spelled; None: no character set that is known."""
    if len(label) > _LONGEST:
        return None
    name = _OTHER.sub("", label.lower().partition("*")[0])  # RFC 2231 5: a language may follow
    for known in (name, name.removeprefix("cs"), name.removeprefix("x"), name.removeprefix("xx")):
        if codec := _CODECS.get(known) or _by_number(known):
            return codec
    return None


def _by_number(name: str) -> str | None:
    if part := _ISO_8859.fullmatch(name):
        number = int(part[1])
        return {1: "cp1252", 9: "cp1254", 11: "cp874", 12: None}.get(number, f"iso8859_{number}")
    page = _CODEPAGE.fullmatch(name)
    return _CODEPAGES.get(int(page[1])) if page else None
