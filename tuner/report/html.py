"""A report as one HTML file: pictures inside, no scripts, nothing from elsewhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from .blocks import Block, Code, Fold, Heading, Paragraph, Picture, Report, Table

CSS = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1b1b1b; font: 16px/1.55 Georgia, "Times New Roman", serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1, h2, th, figcaption, header p, nav { font-family: "Helvetica Neue", Arial, "Liberation Sans", "Noto Sans CJK KR", "Malgun Gothic",
  "Apple SD Gothic Neo", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
header p { color: #555; margin: 0 0 1.5rem; font-size: .9rem; }
nav { font-size: .9rem; border: solid #ddd; border-width: 1px 0; padding: .6rem 0; line-height: 1.9; }
nav a { color: #0072b2; margin-right: 1.1rem; white-space: nowrap; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; break-after: avoid; }
p { margin: 0 0 .9rem; overflow-wrap: anywhere; }
figure { margin: 1.4rem 0; break-inside: avoid; text-align: center; }
details { margin: 0 0 .9rem; border-left: 3px solid #ddd; padding-left: .8rem; }
summary { cursor: pointer; margin: 0 0 .5rem; }
img { max-width: 100%; height: auto; }
figcaption { font-size: .85rem; color: #444; text-align: left; margin-top: .3rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; margin: .4rem 0 1.2rem; line-height: 1.4; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #888; }
td:last-child, th:last-child { padding-right: 0; }
.right { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.short { white-space: nowrap; }
tr { break-inside: avoid; }
pre, code { font-family: "SFMono-Regular", Consolas, "DejaVu Sans Mono", monospace; }
pre { background: #f5f5f5; border: 1px solid #ddd; border-radius: 4px; padding: .8rem 1rem; font-size: .8rem; line-height: 1.45;
  overflow-x: auto; break-inside: avoid; }
code { font-size: .88em; background: #f5f5f5; padding: .05em .25em; border-radius: 3px; }
@media print {
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  h1 { font-size: 1.6rem; }
  h2 { margin-top: 1.6rem; }
  nav { display: none; }
  pre { white-space: pre-wrap; break-inside: auto; orphans: 6; widows: 6; }
  p { orphans: 3; widows: 3; }
  .scroll { overflow: visible; }
  /* What is folded stands open on paper. */
  summary { list-style: none; break-after: avoid; }
  details::details-content { content-visibility: visible; height: auto; }
  /* Rows of two low pictures: whatever moves to the next page leaves little room behind. Text stays with the picture it is of. */
  .figures { display: grid; grid-template-columns: 1fr 1fr; gap: .3rem 1rem; }
  .figures.one { grid-template-columns: 1fr; }
  figure { margin: .5rem 0; }
  img { max-height: 6.2cm; }
  .figures > :last-child:nth-child(odd), #parallel-coordinates, #slices { grid-column: 1 / -1; }
  #confusion-matrix img, #most-wrong img, #parallel-coordinates img, #slices img { max-height: 9cm; }
  h2:has(+ p + .figures) + p, p:has(+ .figures), h2:has(+ .figures) { break-after: avoid; }
}
"""
SHORT = 24  # letters, up to which a cell of a table is one line
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def to_html(report: Report) -> str:
    """The whole page. Every text is escaped; what stands between backquotes is set as code."""
    headings = [block.text for block in report.blocks if isinstance(block, Heading)]
    links = "\n".join(f'<a href="#{_anchor(text)}">{escape(text)}</a>' for text in headings)
    body = "\n".join(_group(report.blocks))
    return f"""<!DOCTYPE html>
<html lang="{escape(report.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(report.title)}</title>
<style>{CSS}</style>
</head>
<body>
<main>
<header>
<h1>{escape(report.title)}</h1>
<p>{escape(report.subtitle)}</p>
</header>
<nav>
{links}
</nav>
{body}
</main>
</body>
</html>
"""


def _group(blocks: Sequence[Block]) -> Iterator[str]:
    """Each block; pictures that follow each other as one row, so that paper has two beside each other."""
    for pictures, group in groupby(blocks, key=lambda block: isinstance(block, Picture)):
        parts = [_block(block) for block in group]
        if pictures:
            yield f'<div class="figures{" one" if len(parts) == 1 else ""}">\n' + "\n".join(parts) + "\n</div>"
        else:
            yield from parts


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f'<h2 id="{_anchor(block.text)}">{escape(block.text)}</h2>'
    if isinstance(block, Paragraph):
        lead = f"<strong>{escape(block.lead)}</strong> " if block.lead else ""
        return f"<p>{lead}{_text(block.text)}</p>"
    if isinstance(block, Code):
        return f"<pre>{escape(block.text)}</pre>"
    if isinstance(block, Fold):
        inner = "\n".join(_group(block.blocks))
        return f"<details>\n<summary>{_text(block.summary)}</summary>\n{inner}\n</details>"
    if isinstance(block, Picture):
        source = base64.b64encode(block.png).decode()
        caption = escape(block.caption)
        return (
            f'<figure id="{escape(block.name)}"><img alt="{caption}" src="data:image/png;base64,{source}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return _table(block)


def _table(table: Table) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        short = [' class="short"' if len(cell) <= SHORT else "" for cell in cells]
        classes = [' class="right"' if place in table.right else kind for place, kind in enumerate(short)]
        return "".join(f"<{tag}{kind}>{_text(cell)}</{tag}>" for kind, cell in zip(classes, cells, strict=True))

    rows = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in table.rows)
    head = f"<thead><tr>{line(table.headings, 'th')}</tr></thead>"
    return f'<div class="scroll"><table>\n{head}\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _text(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _anchor(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-")
