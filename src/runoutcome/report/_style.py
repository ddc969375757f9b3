"""Style of the page: light and dark, on paper, and at the width of a telephone."""

STYLE = """
:root { color-scheme: light dark; --paper: #fcfcfa; --ink: #1f2328; --soft: #636a73; --rule: #dfe1e4; --well: #f2f3f1;
  --completed: #2f7d4f; --failed: #b3382c; --incomplete: #b7791f; --cancelled: #737b86; --expired: #86613d;
  --refused: #94396f; --held: #6d4bc3; --running: #2b6cb0; --queued: #cdd1d6; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #e4e6e9; --soft: #9aa2ac; --rule: #33373d;
  --well: #1f2226; --completed: #58ab7b; --failed: #dd7568; --incomplete: #d5a24a; --cancelled: #939ca8;
  --expired: #b58f69; --refused: #cc82ad; --held: #a58bf0; --running: #69a3dc; --queued: #474d56; } }
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", "Helvetica Neue", sans-serif;
  -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 60rem; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { border-top: 1px solid var(--rule); font-size: 1.15rem; margin: 2.75rem 0 .75rem; padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 42rem; }
.soft, figcaption, caption { color: var(--soft); font-size: .875rem; }
.lead { font-size: 1.15rem; margin: 1.25rem 0 1rem; }
code, .code { font: .875em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
svg { display: block; width: 100%; }
svg.bar { background: var(--well); border-radius: 3px; height: 1.25rem; }
svg.chart { background: var(--well); height: 13rem; }
svg.low { height: 9rem; }
line { stroke: var(--ink); stroke-width: 1px; vector-effect: non-scaling-stroke; }
line.start { opacity: .55; stroke-dasharray: 3 3; }
line.mark { opacity: .8; }
.framed { display: flex; gap: .5rem; margin: 1rem 0 .5rem; }
.plot { flex: 1; min-width: 0; }
.axis-y, .axis-x { color: var(--soft); display: flex; font-size: .8rem; font-variant-numeric: tabular-nums;
  justify-content: space-between; }
.axis-y { flex-direction: column; line-height: 1; padding-bottom: 1.4rem; text-align: right; }
.axis-x { gap: .75rem; padding-top: .25rem; }
.legend { color: var(--soft); display: flex; flex-wrap: wrap; font-size: .875rem; gap: .25rem 1.25rem; list-style: none;
  margin: .75rem 0; padding: 0; }
.legend b { color: var(--ink); font-variant-numeric: tabular-nums; font-weight: 600; }
i { border-radius: 2px; display: inline-block; height: .7em; width: .7em; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1rem 0; }
.figures div { display: flex; flex-direction: column-reverse; }
.figures dt { color: var(--soft); font-size: .875rem; }
.figures dd { font-size: 1.35rem; font-variant-numeric: tabular-nums; margin: 0; }
.scroll { margin: .75rem 0; overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
caption { padding: 0 0 .35rem; text-align: left; }
th, td { border-bottom: 1px solid var(--rule); padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top; }
th { color: var(--soft); font-weight: 500; }
td.n, th.n { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
th.n { white-space: normal; }
th:last-child, td:last-child { padding-right: 0; }
tr.sum td { border-bottom: 0; font-weight: 600; }
.whole { white-space: nowrap; }
.wide { min-width: 46rem; }
.wide td:first-child { min-width: 7rem; }
.kinds { table-layout: fixed; }
.kinds th { width: 30%; }
.kinds th:first-child { width: 7.5rem; }
.kinds th:nth-child(4) { width: 6rem; }
.kinds th:last-child { width: 4.5rem; }
footer { border-top: 1px solid var(--rule); color: var(--soft); font-size: .875rem; margin-top: 3rem;
  padding-top: 1rem; }
@media (max-width: 32rem) { body { padding: 1.5rem 1rem 3rem; } h1 { font-size: 1.35rem; }
  .figures { gap: .75rem 1.5rem; }
  .kinds th:nth-child(4), .kinds td:nth-child(4) { display: none; } .kinds th:first-child { width: 6.5rem; }
  table { font-size: .85rem; } .axis-x { font-size: .75rem; } }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --well: #fff; --completed: #2f7d4f;
  --failed: #b3382c; --incomplete: #b7791f; --cancelled: #737b86; --expired: #86613d; --refused: #94396f;
  --held: #6d4bc3; --running: #2b6cb0; --queued: #cdd1d6; }
  html { font-size: 12px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; }
  figure, tr, .framed { break-inside: avoid; } h2, h3, caption { break-after: avoid; } .scroll { overflow: visible; }
  .wide { min-width: 0; } }
"""

_VARIABLES = {
    "completed": "completed", "failed": "failed", "incomplete": "incomplete", "cancelled": "cancelled",
    "expired": "expired", "refused": "refused", "unknown": "held", "gone": "held", "held": "held",
    "submitting": "running", "in_flight": "running", "running": "running", "queued": "queued",
    "ended_otherwise": "failed",
}  # fmt: skip


def style_sheet() -> str:
    """Return the style of the page, with a colour for each state."""
    rules = [f".k-{kind} {{ fill: var(--{name}); }} .b-{kind} {{ background: var(--{name}); }}"
             for kind, name in _VARIABLES.items()]  # fmt: skip
    return STYLE + "\n".join(rules) + "\n"
