"""Documents for tests, made by hand."""

from __future__ import annotations

import io
import zipfile

from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, NumberObject


def zipped(**members: str | bytes) -> bytes:
    """A ZIP file; ``__`` in a name stands for a slash, and what ends in ``_xml`` in ``.xml``."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return made.getvalue()


def word(inside: str | bytes) -> bytes:
    """A text document of Office Open XML."""
    inside = inside if isinstance(inside, bytes) else inside.encode()
    return zipped(word__document_xml=b'<w:document xmlns:w="urn:w">' + inside + b"</w:document>")


WORD = word("<w:p><w:r><w:t>Stromrech</w:t></w:r><w:r><w:t>nung</w:t></w:r></w:p><w:p><w:t>März</w:t></w:p>")
SHEET = zipped(
    xl__workbook_xml='<workbook><sheets><sheet name="Umsatz"/></sheets></workbook>',
    xl__sharedStrings_xml="<sst><si><t>Miete</t></si><si><r><t>Neben</t></r><r><t>kosten</t></r></si></sst>",
    xl__worksheets__sheet1_xml='<worksheet><row><c t="s"><v>0</v></c><c><v>118.50</v></c>'
    '<c t="inlineStr"><is><t>bezahlt</t></is></c></row></worksheet>',
)
SLIDES = zipped(
    ppt__slides__slide1_xml='<p xmlns:a="urn:a"><a:p><a:t>Erste Folie</a:t></a:p></p>',
    ppt__slides__slide10_xml='<p xmlns:a="urn:a"><a:p><a:t>Letzte Folie</a:t></a:p></p>',
)
OPEN = zipped(content_xml='<o xmlns:t="urn:t"><t:h>Titel</t:h><t:p>Ein<t:s/>Absatz <t:span>mehr</t:span></t:p></o>')
RTF = b"{\\rtf1\\ansi\\ansicpg1252 Gr\\'f6\\'dfe \\u1055?\\par end}"


def pdf(text: str, pages: int = 1, times: int = 1) -> bytes:
    """A PDF of so many pages, which are all one object, with the text on each so many times."""
    writer = PdfWriter()
    page = writer.add_blank_page(200, 200)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    named = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
    fonts = DictionaryObject({NameObject("/F1"): named})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    content = DecodedStreamObject()
    content.set_data(b"BT /F1 12 Tf 10 100 Td " + f"({text}) Tj 0 -14 Td ".encode() * times + b"ET")
    page[NameObject("/Contents")] = writer._add_object(content)
    tree = page["/Parent"].get_object()
    assert isinstance(tree, DictionaryObject)
    tree[NameObject("/Kids")] = ArrayObject([page.indirect_reference] * pages)
    tree[NameObject("/Count")] = NumberObject(pages)
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()
