"""What the page of a report looks like, and the few lines of script that sort its tables."""

from __future__ import annotations

__all__ = ["SCRIPT", "STYLE"]

# Texts have a contrast of at least 4.5 to their background and series one of at least 3, both in
# light and in dark mode; series differ by dashes as well, so that nothing is said by colour alone.
STYLE = """\
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1b1b; --soft: #555555;
  --line: #d5d5d5; --band: #f3f5f7; --link: #00508f; --alarm: #a4161a;
  --s0: #005a9c; --s1: #b84a00; --s2: #00734f; --s3: #8a3b8f; --s4: #7a5c00; --s5: #5a5a5a; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181b; --ink: #ececec; --soft: #b4b4b4; --line: #3c4046; --band: #202429;
    --link: #8cc4ff; --alarm: #ff9b93;
    --s0: #6db6ff; --s1: #ff9a57; --s2: #4fd1a1; --s3: #d9a0e0; --s4: #e0c060; --s5: #bdbdbd; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; overflow-wrap: anywhere; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; list-style: none; padding: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.note { border-left: 4px solid var(--s1); background: var(--band); padding: .6rem 1rem; }
.alarm { border-left: 4px solid var(--alarm); background: var(--band); padding: .2rem 1rem .6rem; }
.alarm h2 { margin-top: .6rem; color: var(--alarm); }
.wide { overflow-x: auto; }
.wide + .wide { margin-top: 1.4rem; }
.wide:focus-visible, button:focus-visible, summary:focus-visible { outline: 2px solid var(--link); }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .7rem;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; max-width: 24rem; }
th { font-weight: 600; }
td[colspan], td.text { max-width: 48rem; }
td.said:not(:empty) { min-width: 10rem; }
thead th { background: var(--band); }
td.number, th.number { text-align: right; white-space: nowrap; }
.soft { color: var(--soft); font-weight: 400; }
code { overflow-wrap: anywhere; font-size: .86rem; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button::after { content: " \\2195"; color: var(--soft); }
th[aria-sort=ascending] button::after { content: " \\2191"; color: var(--ink); }
th[aria-sort=descending] button::after { content: " \\2193"; color: var(--ink); }
summary { cursor: pointer; margin: .6rem 0; overflow-wrap: anywhere; }
figure { margin: 0 0 1.6rem; }
figure img { max-width: 100%; height: auto; display: block; border: 1px solid var(--line); }
figcaption { color: var(--soft); font-size: .9rem; }
svg { display: block; width: 100%; max-width: 48rem; height: auto; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg .grid { stroke: var(--line); }
svg .bar, svg .curve { stroke: currentColor; stroke-width: 2; fill: none; }
svg .dot { fill: currentColor; }
.series-0 { color: var(--s0); } .series-1 { color: var(--s1); } .series-2 { color: var(--s2); }
.series-3 { color: var(--s3); } .series-4 { color: var(--s4); } .series-5 { color: var(--s5); }
@media print { .wide { overflow: visible; } figure { break-inside: avoid; } }
"""

# The tables are complete without it. Cells carry their numbers in data-value; cells without a
# number stay last in either order. Sorting is stable.
SCRIPT = """\
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[place];
        if (!cell.classList.contains("number")) return cell.textContent;
        return "value" in cell.dataset ? Number(cell.dataset.value) : null;
      };
      const order = (one, other) => {
        const [a, b] = [key(one), key(other)];
        if (a === null || b === null) return (a === null) - (b === null);
        const sign = typeof a === "string" ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
        return falling ? -sign : sign;
      };
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort(order));
    });
  });
}
"""
