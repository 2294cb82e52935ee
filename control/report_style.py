"""How a report in HTML looks: on a screen, in the dark, on a phone and on paper."""

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--paper:#fff;--card:#f6f8fa;
--grid:#d5d9de;--edge:#8a8f9880;--gain:#0072b2;--loss:#d55e00;--s0:#0072b2;--s1:#d55e00;--s2:#009e73;--s3:#cc79a7;--s4:#e69f00;
--s5:#56b4e9;--s6:#8a8f98}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--paper:#0d1117;--card:#161b22;
--grid:#30363d;--gain:#56b4e9;--loss:#e9873a;--s0:#56b4e9;--s1:#e9873a;--s2:#2fbf93;--s3:#d99bbd;
--s4:#f0b429;--s5:#9fd3f5}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1.5rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;
border-bottom:1px solid var(--grid);padding-bottom:.3rem}
header p,footer,figcaption,caption{color:var(--dim);font-size:.87rem}
header p{margin:.2rem 0 1rem}footer{margin-top:3rem;overflow-wrap:anywhere}
aside{border-left:4px solid var(--s4);background:var(--card);padding:.5rem 1rem;font-size:.87rem}
aside ul{margin:0;padding-left:1rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(max(9rem,22%),1fr));gap:.6rem;
margin:1.2rem 0}
.cards div{background:var(--card);border-radius:6px;padding:.6rem .8rem}
.cards dt{color:var(--dim);font-size:.8rem}.cards dd{margin:0;font-size:1.15rem;font-weight:600}
figure{margin:1rem 0;overflow-x:auto}figure svg{display:block;width:100%;min-width:34rem;
height:auto;stroke-linejoin:round}
figcaption{text-align:center}
.wide{overflow-x:auto}
.wide,figure{background:linear-gradient(90deg,var(--paper) 40%,transparent) left/3rem 100% local,
linear-gradient(270deg,var(--paper) 40%,transparent) right/3rem 100% local,
linear-gradient(90deg,var(--edge),transparent) left/1rem calc(100% - 4px) scroll,
linear-gradient(270deg,var(--edge),transparent) right/1rem calc(100% - 4px) scroll;
background-repeat:no-repeat}
table{border-collapse:collapse;width:100%;margin:1rem 0;font-size:.87rem}
caption{text-align:left;padding:.2rem 0}
th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th[scope=row],thead th:first-child{text-align:left;font-weight:500}
.months td{padding:.25rem .3rem}
meter{width:8rem}summary{cursor:pointer}
@media print{:root{--ink:#000;--dim:#444;--paper:#fff;--card:#f4f4f4;--grid:#ccc;--gain:#0072b2;
--loss:#d55e00;--s0:#0072b2;--s1:#d55e00;--s2:#009e73;--s3:#cc79a7;--s4:#e69f00;--s5:#56b4e9}
body{max-width:none;padding:0;font-size:10pt}figure,table,tr{break-inside:avoid}
h2,caption,thead{break-after:avoid}.months td,.cards div{print-color-adjust:exact}
details:not([open]){display:none}
.wide,figure{overflow:visible;background:none}figure svg{min-width:0}}
"""
