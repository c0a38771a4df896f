"""How the pages look: the colours of both schemes, which the pictures share, and the style sheet."""

from __future__ import annotations

SERIES = 6  # colours for lines before they come round again, dashed

# Every text colour has a contrast of at least 4.5 to its paper and wash (WCAG AA).
LIGHT = {
    "paper": "#fdfdfb",
    "wash": "#f3f3f0",
    "ink": "#1c1e22",
    "soft": "#5b616a",
    "rule": "#d9dad8",
    "right": "#1d5fc4",
    "wrong": "#b3400a",
    "series-1": "#1d5fc4",
    "series-2": "#b3400a",
    "series-3": "#23744a",
    "series-4": "#7a3fb8",
    "series-5": "#a61c5c",
    "series-6": "#0b6b7e",
}
DARK = {
    "paper": "#15171a",
    "wash": "#1f2226",
    "ink": "#e6e7e9",
    "soft": "#a4abb5",
    "rule": "#363b42",
    "right": "#82b1ff",
    "wrong": "#ff9f6b",
    "series-1": "#82b1ff",
    "series-2": "#ff9f6b",
    "series-3": "#74d19c",
    "series-4": "#c8a4ff",
    "series-5": "#ff93ba",
    "series-6": "#63cfe0",
}

RULES = """
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 72rem; padding: clamp(1.5rem, 6vw, 4.5rem) clamp(1rem, 5vw, 3rem) 5rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial,
    sans-serif;
  font-variant-numeric: lining-nums; overflow-wrap: anywhere;
}
h1, h2, h3 { line-height: 1.2; font-weight: 650; text-wrap: balance; max-width: 44rem; }
h1 { margin: 0; font-size: clamp(1.75rem, 1.3rem + 2vw, 2.5rem); letter-spacing: -0.02em; }
h2 { margin: 0 0 0.75rem; font-size: 1.5rem; letter-spacing: -0.01em; }
h3 { margin: 2rem 0 0.5rem; font-size: 1.125rem; }
p, ul { max-width: 70ch; margin: 0 0 1rem; }
a { color: var(--right); text-underline-offset: 0.2em; }
.subtitle { margin: 0.6rem 0 0; font-size: 1.125rem; color: var(--soft); }
header { margin-bottom: 2.5rem; }
section { margin-top: 3.5rem; padding-top: 1.75rem; border-top: 1px solid var(--rule); }
nav { margin: 2.5rem 0 0; }
nav ol { list-style: none; margin: 0; padding: 0; columns: 15rem auto; column-gap: 2rem; max-width: 50rem; }
nav a { display: block; padding: 0.2rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
.headline { display: flex; flex-wrap: wrap; gap: 1.25rem 3rem; margin: 0 0 1.75rem; }
.headline > div { display: flex; flex-direction: column-reverse; }
.headline dt { color: var(--soft); font-size: 0.875rem; }
.headline dd { margin: 0; font-size: 1.875rem; line-height: 1.25; font-weight: 600; letter-spacing: -0.015em; }
.facts {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); column-gap: 2.5rem;
  margin: 0 0 1.75rem; font-size: 0.9375rem;
}
.facts > div {
  display: flex; gap: 1rem; justify-content: space-between; padding: 0.3rem 0; border-bottom: 1px solid var(--rule);
}
.facts > .long { grid-column: 1 / -1; }
.facts dt { color: var(--soft); flex: 0 1 auto; min-width: 6rem; }
.facts dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums lining-nums; }
figure { margin: 1.5rem 0 2rem; }
figcaption { margin-top: 0.6rem; max-width: 80ch; font-size: 0.875rem; line-height: 1.5; color: var(--soft); }
.drawing svg { display: block; width: 100%; height: auto; }
.picture > img { display: block; max-width: 100%; height: auto; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1.75rem 2rem; }
.panels > svg { display: block; width: 100%; max-width: 27rem; height: auto; }
svg text { font-family: inherit; font-variant-numeric: tabular-nums lining-nums; }
.scroll { overflow-x: auto; max-width: 100%; }
.scroll:focus-visible, summary:focus-visible, a:focus-visible { outline: 2px solid var(--right); outline-offset: 3px; }
.pixels { image-rendering: pixelated; }
.table { width: fit-content; max-width: 100%; }
table { border-collapse: collapse; font-size: 0.9375rem; line-height: 1.4; font-variant-numeric: tabular-nums lining-nums; }
th, td { padding: 0.4rem 1.5rem 0.4rem 0; text-align: left; vertical-align: baseline; overflow-wrap: normal; max-width: 26rem; }
th:last-child, td:last-child { padding-right: 0.25rem; }
thead th {
  border-bottom: 1px solid var(--soft); color: var(--soft); font-weight: 500; font-size: 0.875rem; white-space: nowrap;
}
tbody th { font-weight: 500; overflow-wrap: anywhere; }
tbody th:not(.number) { min-width: 7rem; }
tbody tr + tr > * { border-top: 1px solid var(--rule); }
.number { text-align: right; white-space: nowrap; }
.gallery {
  list-style: none; margin: 1.5rem 0 2rem; padding: 0; max-width: none; display: grid; gap: 1rem 0.875rem;
  grid-template-columns: repeat(auto-fill, minmax(min(var(--size), 27vw), 1fr));
}
.gallery figure { margin: 0; }
.gallery img { display: block; width: 100%; max-width: calc(var(--size) * 1.4); height: auto; background: var(--wash); }
.gallery figcaption { margin-top: 0.3rem; font-size: 0.8125rem; line-height: 1.35; white-space: pre-line; }
.gallery .right { color: var(--right); }
.gallery .wrong { color: var(--wrong); }
pre {
  margin: 0; padding: 0.875rem 1.125rem; overflow-x: auto; background: var(--wash); border-radius: 0.375rem; tab-size: 4;
  font: 0.875rem/1.55 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
pre.sample { white-space: pre-wrap; font: inherit; line-height: 1.55; max-width: 74ch; overflow-wrap: anywhere; }
details { margin: 1.5rem 0; border: 1px solid var(--rule); border-radius: 0.375rem; }
summary { cursor: pointer; padding: 0.6rem 1rem; font-weight: 500; }
details > .inside { padding: 0.25rem 1rem 0; }
details[open] > summary { border-bottom: 1px solid var(--rule); }
@media print {
  :root { color-scheme: light; VARIABLES }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  h2, h3, summary { break-after: avoid; }
  figure, tr, .facts > div { break-inside: avoid; }
  .scroll, pre { overflow: visible; }
  pre { white-space: pre-wrap; }
}
"""


def variables(colours: dict[str, str]) -> str:
    """CSS declarations of a scheme's colours.

    Example:
        >>> variables({"ink": "#000000", "paper": "#ffffff"})
        '--ink: #000000; --paper: #ffffff;'
    """
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def stylesheet() -> str:
    """The style sheet of a page, colours included."""
    schemes = f":root {{ color-scheme: light dark; {variables(LIGHT)} }}\n"
    schemes += f"@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}"
    return schemes + RULES.replace("VARIABLES", variables(LIGHT))
