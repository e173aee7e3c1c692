"""What servers say, as they should and as they should not; each response in every form that IMAP allows for it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

uids = st.integers(1, 2**32 - 1)
sizes = st.lists(st.sampled_from([1, 2, 3, 5, 17, 100, 4096, 1 << 18]), min_size=1, max_size=4)
messages = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b")", b"\r\n", b")\r\n", b"M1 OK done\r\n", b"* 2 FETCH (UID 9 BODY[] {3}\r\nabc)\r\n", b"{9}"]
    ),
    st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=9), st.integers(1, 9000)),
)
names = st.one_of(
    st.binary(max_size=30).filter(lambda name: not set(name) & set(b"\r\n\0")),
    st.sampled_from(
        [
            b"a[b",
            b"[Gmail]/x",
            b"a]b",
            b"BODY[",
            b'a"b',
            b"a\\b",
            b"NIL",
            b"a {3}",
            b"\xff",
            b"&AOQ-",
            b"",
        ]
    ),
).map(lambda name: b"INBOX" if name.upper() == b"INBOX" else name)
keywords = st.sampled_from(
    [b"\\Seen", b"\\Flagged", b"\\Deleted", b"$Forwarded", b"$MDNSent", b"Junk", b"a[b", b"NonJunk", b"caf\xc3\xa9"]
)
flags = st.lists(keywords, unique=True, max_size=4)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
dates = st.builds(
    lambda d, zone: f"{d.day:2d}-{_MONTHS[d.month - 1]}-{d.year:04d} {d:%H:%M:%S} {zone}".encode(),
    st.datetimes(),
    st.builds("{}{:02d}{:02d}".format, st.sampled_from("+-"), st.integers(0, 23), st.integers(0, 59)),
)
_NUMBERS = [b"0", b"1", b"42", b"4294967295", b"4294967296", b"9" * 18, b"9" * 19, b"9" * 20, b"9" * 5000, b"-1", b""]
numbers = st.sampled_from(_NUMBERS)


def quoted(text: bytes) -> bytes:
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def literal(text: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(text), text)


def _is_atom(text: bytes) -> bool:
    words = all(0x20 < octet < 0x7F and octet not in b'(){%*"\\' for octet in text)
    return bool(text) and words and (text.upper() != b"NIL" or text == b"NIL") and not text.upper().startswith(b"BODY[")


def string(text: bytes, *, atoms: bool = True) -> st.SearchStrategy[bytes]:
    """A string in each form that can carry it."""
    forms = [literal(text)]
    if not set(text) & set(b"\r\n\0"):
        forms.append(quoted(text))
    if atoms and _is_atom(text):
        forms.append(text)
    return st.sampled_from(forms)


def any_case(word: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from([word, word.lower(), word.title()])


UNSOLICITED = [
    b"* OK Still here\r\n",
    b"* 3 EXISTS\r\n",
    b"* 0 RECENT\r\n",
    b"* 2 EXPUNGE\r\n",
    b"* VANISHED (EARLIER) 1:5\r\n",
    b"* 4 FETCH (FLAGS (\\Seen))\r\n",
    b"* 4 FETCH (MODSEQ (7) FLAGS ())\r\n",
    b"* FLAGS (\\Seen)\r\n",
    b"* SEARCH 1 2 3\r\n",
    b'* ESEARCH (TAG "M9") UID ALL 1:3\r\n',
    b"* OK [HIGHESTMODSEQ 9] x\r\n",
    b'* LIST (\\Noselect) "/" {1}\r\nz\r\n',
]
unsolicited = st.lists(st.sampled_from(UNSOLICITED), max_size=2).map(b"".join)


@st.composite
def fetch(draw: st.DrawFn, items: Sequence[bytes]) -> bytes:
    """A FETCH response with these items in any order."""
    word = draw(any_case(b"FETCH"))
    return b"* %d %b (%b)\r\n" % (draw(st.integers(1, 9)), word, b" ".join(draw(st.permutations(items))))


# As it should not be.

_PHRASES = (
    b'* ,+ ,M1 ,M2 ,OK,NO,BAD, ,(,),((,",\\,NIL,],\xff,\x1b[2J,1:2:3,5:,}\r\n,{3}\r\n,~{2},{99999999999999}\r\n,'
    b'\r\n,\n,\r,\0,* 1 FETCH (,UID ,FLAGS (,RFC822.SIZE ,INTERNALDATE ",BODY[] {,BODY[] {3}\r\nabc,EMAILID (NIL),'
    b'X-GM-LABELS (,BODY[HEADER.FIELDS (SUBJECT)]<0> ,* LIST () "/" ,* STATUS ,(MESSAGES ,UIDNEXT ,* QUOTA ,'
    b"* QUOTAROOT ,(STORAGE ,* NAMESPACE ((,* SEARCH ,* ESEARCH ,* 3 EXISTS,* OK [UIDVALIDITY ,* VANISHED ,* BYE ,"
    b"* OK [PERMANENTFLAGS (,[APPENDUID 1 ,(APPENDLIMIT ,Suggested Backoff Time: , milliseconds"
)
_WORDS = [*_PHRASES.split(b","), b",", b"(" * 40]
garbage = st.lists(st.one_of(st.sampled_from(_WORDS), numbers, st.binary(max_size=4)), max_size=25).map(b"".join)


@st.composite
def mangled(draw: st.DrawFn, responses: st.SearchStrategy[bytes]) -> bytes:
    """A good conversation with a few octets cut out, put in or put twice."""
    said = draw(responses)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(said)))
        gone = draw(st.sampled_from([0, 0, 1, 2, 10]))
        more = draw(st.one_of(st.sampled_from(_WORDS), numbers, st.just(said[at : at + 30])))
        said = said[:at] + more + said[at + gone :]
    return said[: draw(st.integers(0, len(said)))] if draw(st.booleans()) else said
