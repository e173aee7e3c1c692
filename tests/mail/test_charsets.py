"""Octets as text: labels as browsers and mail programs read them, and only what cannot be read is replaced."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmove.mail import charsets, labels

GERMAN, POLISH, RUSSIAN, GREEK = "Größe", "Zażółć gęślą jaźń", "Привет, мир", "Καλημέρα κόσμε"
HEBREW, THAI, CHINESE, JAPANESE, KOREAN = "שלום עולם", "สวัสดีชาวโลก", "你好，世界", "こんにちは世界", "안녕하세요"

SPELLED: list[tuple[str, str, str]] = [
    ("iso-8859-1", "cp1252", "“smart” – €"),
    ("US-ASCII", "cp1252", "naïve"),
    ("ANSI_X3.4-1968", "cp1252", "naïve"),
    ("ISO_8859-1:1987", "cp1252", GERMAN),
    ("8859_1", "cp1252", GERMAN),
    ("latin1", "cp1252", GERMAN),
    ("cp-850", "cp850", GERMAN),
    ("ibm850", "cp850", GERMAN),
    ("CP00858", "cp858", GERMAN),
    ("dos-437", "cp437", GERMAN),
    ("iso-8859-9", "cp1254", "şğı"),
    ("iso8859-2", "iso8859_2", POLISH),
    ("x-cp1250", "cp1250", POLISH),
    ("x-mac-ce", "mac_latin2", POLISH),
    ("x-mac-roman", "mac_roman", GERMAN),
    ("macintosh", "mac_roman", GERMAN),
    ("x-windows-1251", "cp1251", RUSSIAN),
    ("win-1251", "cp1251", RUSSIAN),
    ("cskoi8r", "koi8_r", RUSSIAN),
    ("x-mac-cyrillic", "mac_cyrillic", RUSSIAN),
    ("cp866", "cp866", RUSSIAN),
    ("sun_eu_greek", "iso8859_7", GREEK),
    ("windows-1253", "cp1253", GREEK),
    ("iso-8859-8-i", "iso8859_8", HEBREW),
    ("ISO-8859-8-E", "iso8859_8", HEBREW),
    ("csISOLatinHebrew", "iso8859_8", HEBREW),
    ("windows-874", "cp874", THAI),
    ("tis-620", "cp874", THAI),
    ("x-gbk", "gb18030", CHINESE),
    ("gb2312", "gbk", "朱镕基，你好"),  # 镕 is in GBK only
    ("GB_2312-80", "gbk", CHINESE),
    ("csISO58GB231280", "gbk", CHINESE),
    ("GB18030-2000", "gb18030", CHINESE),
    ("ms936", "gb18030", CHINESE),
    ("hz-gb-2312", "hz", "你好"),
    ("x-x-big5", "big5", "你好，世界"),
    ("big5", "cp950", "恒碁銹"),
    ("x-sjis", "cp932", "①髙島屋"),
    ("windows-31j", "cp932", JAPANESE),
    ("cp932", "cp932", JAPANESE),
    ("x-euc-jp", "euc_jp", JAPANESE),
    ("csEUCPkdFmtJapanese", "euc_jp", JAPANESE),
    ("csISO2022JP", "iso2022_jp", JAPANESE),
    ("ks_c_5601-1987", "cp949", "똠방각하"),
    ("iso-2022-kr", "iso2022_kr", KOREAN),
    ("utf-7", "utf_7", "Gr" + GERMAN),
    ("unicode-1-1-utf-7", "utf_7", GREEK),
    ("cp65001", "utf_8", GREEK),
    ("utf8*el", "utf_8", GREEK),
    ("utf-16", "utf_16", GREEK),
    ("utf-16", "utf_16_be", GERMAN),
    ("utf-16", "utf_16_le", GERMAN),
    ("utf-16be", "utf_16_be", CHINESE),
    ("utf-32", "utf_32", GREEK),
    ("UCS-2", "utf_16_be", "plain words"),
    ("unicodeFEFF", "utf_16_be", "plain words"),
    ("tis620.2533", "cp874", THAI),
    ("x-ansi", "cp1252", GERMAN),
    ("ECMA-cyrillic", "iso8859_5", RUSSIAN),
]


@pytest.mark.parametrize(("label", "codec", "text"), SPELLED)
def test_a_label_is_read_however_it_is_spelled(label: str, codec: str, text: str) -> None:
    assert charsets.decode(text.encode(codec), label) == text


OTHERS = [
    *("iso-8859-1", "iso-8859-2", "windows-1251", "koi8-r", "gb2312", "shift_jis", "big5", "euc-kr", "us-ascii"),
    *("iso-2022-jp", "cp-850", "utf-16", "nonsense", None),
]


@pytest.mark.parametrize(
    "label",
    ["punycode", "idna", "rot13", "unicode_escape", "raw_unicode_escape", "mbcs", "undefined", "zlib", "x" * 500],
)
def test_a_codec_that_is_no_character_set_is_not_used(label: str) -> None:
    assert labels.codec_of(label) is None
    assert charsets.decode(GERMAN.encode(), label) == GERMAN
    assert charsets.decode(GERMAN.encode("cp1252"), label) == GERMAN


def test_every_codec_of_the_table_is_there() -> None:
    for codec in {*labels._NAMES, *labels._CODEPAGES.values()}:
        assert codecs.lookup(codec).decode(b"")[0] == ""


@pytest.mark.parametrize(
    ("label", "octets", "text"),
    [
        ("utf-8", "Größe".encode()[:-1] + b"\xc3", "Größ\ufffd"),
        ("utf-8", "日本".encode()[:-1], "日\ufffd"),
        ("utf-8", b"caf\xe9 \xc3\xa9t\xc3\xa9", "caf\ufffd été"),
        ("iso-8859-2", "Zażółć".encode()[:-1], "Zażół\ufffd"),  # UTF-8 under another label, and cut
        ("us-ascii", "Größe, Größe".encode() + b"\xff", "Größe, Größe\ufffd"),
        (None, "été, été".encode() + b"\xff.", "été, été\ufffd."),
        ("gb2312", "你好".encode("gbk") + b"\xff", "你好\ufffd"),
        ("shift_jis", "日本".encode("cp932") + b"\x81", "日本\ufffd"),
        ("shift_jis", b"a\xffb", "a\ufffdb"),
        ("iso-2022-jp", b"a \x1b$B-!\x7e\x7f\x1b(B z", "a ①\ufffd z"),
        ("windows-1252", b"a\x81b", "a\ufffdb"),
        ("utf-16", "ab".encode("utf-16") + b"c", "ab\ufffd"),
    ],
)
def test_only_what_cannot_be_read_is_replaced(label: str | None, octets: bytes, text: str) -> None:
    assert charsets.decode(octets, label) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x1b$B-!F|K\\-j\x1b(B x", "①日本㈱ x"),  # row 13, which ISO-2022-JP does not have
        (b"\x1b$B|b\x1b(B", "髙"),  # an extension of IBM
        (b"\x1b$B-!\r\n-! x", "①\r\n① \ufffd"),  # no escape at the end of the line
        (b"\x1b(I1\x1b(B \x1b$B-!", "ｱ ①"),
        ("日本①".encode("cp932"), "日本①"),
        (b"plain", "plain"),
    ],
)
def test_japanese_mail_has_more_characters_than_its_label(octets: bytes, text: str) -> None:
    assert charsets.decode(octets, "iso-2022-jp") == text


def test_a_text_of_any_length_is_read_with_its_variants_only_at_its_beginning() -> None:
    long = b"\x1b$B-!\x1b(B" + b"." * 300_000 + b"\x1b$BF|\x1b(B"
    assert charsets.decode(long, "iso-2022-jp") == "①" + "." * 300_000 + "日"


def test_japanese_in_seven_bits_needs_no_label() -> None:
    assert charsets.decode("日本".encode("iso2022_jp"), None) == "日本"
    assert charsets.decode("日本".encode("iso2022_jp"), "us-ascii") == "日本"


@pytest.mark.parametrize("label", OTHERS)
@pytest.mark.parametrize("text", [POLISH, RUSSIAN, CHINESE, "Grüße und große Mühe: schöne Füße"])
def test_utf8_is_utf8_whatever_it_is_called(label: str | None, text: str) -> None:
    assert charsets.decode(text.encode(), label) == text


def test_a_short_text_of_two_octets_a_character_is_not_taken_for_utf8() -> None:
    assert charsets.decode("一".encode("gbk"), "gb2312") == "一"


@pytest.mark.parametrize(
    ("mark", "codec"),
    [(codecs.BOM_UTF8, "utf_8"), (codecs.BOM_UTF16_LE, "utf_16_le"), (codecs.BOM_UTF16_BE, "utf_16_be")],
)
def test_a_byte_order_mark_beats_the_label(mark: bytes, codec: str) -> None:
    assert charsets.decode(mark + GREEK.encode(codec), "iso-8859-1") == GREEK


@pytest.mark.parametrize(
    ("html", "label", "expected"),
    [
        (b"<html><meta charset=koi8-r>", None, "koi8-r"),
        (b'<META http-equiv="Content-Type" content="text/html; charset=windows-1251">', None, "windows-1251"),
        (b'<?xml version="1.0" encoding="iso-8859-7"?>', "us-ascii", "iso-8859-7"),
        (b"<meta charset='utf-16'>", None, "utf-8"),
        (b"<meta charset=koi8-r>", "windows-1251", "windows-1251"),
        (b"<meta charset=koi8-r>", "unknown-8bit", "koi8-r"),
        (b"<p>", "us-ascii", "us-ascii"),
    ],
)
def test_html_may_name_its_character_set_itself(html: bytes, label: str | None, expected: str) -> None:
    assert charsets.in_html(html, label) == expected


@given(st.binary(max_size=200), st.sampled_from([*labels._NAMES, *labels._CODECS, "nonsense"]))
def test_nothing_raises(octets: bytes, label: str) -> None:
    charsets.decode(octets, label)
    charsets.named(octets)
    charsets.in_html(octets, label)
