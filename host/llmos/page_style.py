"""The style of the page: light or dark as wanted, colours for the colour-blind, too (Okabe & Ito 2008)."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d5dae1; --back: #fff;
  --card: #f6f7f9; --way: #0072b2; --bad: #c0392b; --goal: #d55e00; --mark: #0072b2 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa5b4; --line: #39424f; --back:
  #14181e; --card: #1c222a; --way: #56b4e9; --bad: #ff7b6b; --goal: #e69f00; --mark: #56b4e9 }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 2rem
  auto; max-width: 1120px; padding: 0 1rem }
h1 { font-size: 1.5rem }
h2 { font-size: 1.15rem; margin-top: 2.4rem }
h3 { font-size: .85rem; margin: 0 0 .3rem }
p, figcaption, .tick, dt { color: var(--soft) }
p { max-width: 75ch }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid
  var(--line) }
th { font-weight: 600; vertical-align: bottom }
th.name, td.name { text-align: left }
tr.all td { font-weight: 600 }
figure { margin: 1rem 0 }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(460px, 1fr)); gap: 0 2rem }
.plot { width: 100%; font-size: 13px }
.plot text { fill: var(--ink) }
.plot .tick { fill: var(--soft); font-size: 12px }
.plot .behind { font-variant-numeric: tabular-nums }
.grid { stroke: var(--line) }
.value { fill: var(--mark) }
.reach { stroke: var(--mark); stroke-width: 3 }
.dots { stroke: var(--mark); stroke-width: 5; stroke-linecap: round; opacity: .25 }
.c0 { fill: #0072b2; background: #0072b2 }
.c1 { fill: #e69f00; background: #e69f00 }
.c2 { fill: #009e73; background: #009e73 }
.c3 { fill: #cc79a7; background: #cc79a7 }
.c4 { fill: #56b4e9; background: #56b4e9 }
.c5 { fill: #d55e00; background: #d55e00 }
.c6 { fill: #f0e442; background: #f0e442 }
.c7 { fill: #8a8f98; background: #8a8f98 }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
.s0 { stroke: #0072b2 }
.s1 { stroke: #e69f00 }
.s2 { stroke: #009e73 }
.s3 { stroke: #cc79a7 }
.s4 { stroke: #56b4e9 }
.s5 { stroke: #d55e00 }
.s6 { stroke: #f0e442 }
.s7 { stroke: #8a8f98 }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size:
  13px }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .4em }
.cards { display: flex; flex-wrap: wrap; gap: .8rem }
.cards section { background: var(--card); padding: .6rem; border-radius: 6px }
.room { position: absolute }
dl, dd { margin: 0 }
dt { font-size: 12px }
dd { display: flex; gap: 4px }
.drive { border: 1px solid var(--line) }
.drive.bad { border: 2px solid var(--bad) }
.floor { fill: var(--back) }
.wall { stroke: var(--ink); stroke-width: 5; fill: none }
.disc { fill: var(--soft) }
.way { stroke-linejoin: round; stroke: var(--way); stroke-width: 7; fill: none }
.start { fill: none; stroke: var(--way); stroke-width: 6 }
.goal { stroke: var(--goal); stroke-width: 7; fill: none }
""".strip()
