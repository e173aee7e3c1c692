"""How a page looks that is one file: light and dark, narrow and wide, and on paper."""

from __future__ import annotations

from mailmove.report.html.tags import verbatim

_DRAWN = """
:root { --fine: #0b7a75; --warm: #c98500; --high: #c0392b; --empty: #eceae4; --rule: #dedbd4;
  --a0: #bfe0dd; --a1: #d9e4c4; --a2: #f1dfb4; --a3: #d6d4ee; --a4: #efcfc4; --a5: #cfe0ee; }
@media (prefers-color-scheme: dark) { :root { --fine: #4fb3ad; --warm: #e0a45c; --high: #e5695b; --empty: #2a2d30;
  --rule: #35373a; --a0: #204b49; --a1: #3b4a24; --a2: #57481f; --a3: #3a3865; --a4: #5b3529; --a5: #27435a; } }
svg { display: block; width: 100%; height: auto; } svg[role=img] { overflow: visible; }
svg text { font-size: 12px; fill: var(--ink); }
svg text.said { fill: var(--faint); font-size: 11px; } svg svg text.said { fill: var(--ink); opacity: .75; }
.fine { fill: var(--fine); } .warm { fill: var(--warm); } .high { fill: var(--high); } .empty { fill: var(--empty); }
.area0 { fill: var(--a0); } .area1 { fill: var(--a1); } .area2 { fill: var(--a2); } .area3 { fill: var(--a3); }
.area4 { fill: var(--a4); } .area5 { fill: var(--a5); }
.axis { stroke: var(--rule); } .curve { stroke: var(--fine); stroke-width: 2.5; fill: none; }
svg.bar { display: inline-block; width: 5rem; height: .6rem; margin-left: .6rem; background: var(--empty);
  border-radius: 2px; }
@media (max-width: 40rem) { svg text { font-size: 19px; } svg text.said { font-size: 17px; }
  svg svg text.said { display: none; } }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .25rem .7rem .25rem 0; text-align: left; border-bottom: 1px solid var(--rule);
  font-variant-numeric: tabular-nums; min-width: 3.5rem; } th { font-weight: 500; white-space: nowrap; }
td:not(:first-child):not(:last-child), td code { white-space: nowrap; } thead, summary { color: var(--faint); }
h3 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
"""
DRAWN = verbatim(_DRAWN)
"""How drawings and tables look, in a page that has ``--ink`` and ``--faint``."""

STYLE = verbatim(
    """
:root { --paper: #fff; --ink: #1c1b19; --faint: #6d6a64; --code: #f4f3f0; }
@media (prefers-color-scheme: dark) { :root { --paper: #1b1d1f; --ink: #e6e4df; --faint: #9b978f; --code: #26292c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.3rem; margin: 2.5rem 0 0; }
p { margin: .4rem 0; } a { color: var(--fine); } .said { color: var(--faint); } .problem { color: var(--high); }
code { font-size: .85rem; background: var(--code); padding: .15rem .4rem; border-radius: .3rem; user-select: all; }
details { margin-top: .5rem; } summary { cursor: pointer; }
"""
    + _DRAWN
    + """
@media print { @page { size: A4; margin: 14mm; } body { font-size: 10pt; }
  :root { --paper: #fff; --ink: #000; --faint: #555; --empty: #eee; } * { print-color-adjust: exact; }
  article + article { break-before: page; } section, tr, svg { break-inside: avoid; }
  thead { display: table-header-group; } main { padding: 0; max-width: none; } }
"""
)
