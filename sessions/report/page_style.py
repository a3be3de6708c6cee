"""How a report's page looks."""

from __future__ import annotations

PAGE_STYLE = """\
:root{--bg:#f6f7f9;--card:#fff;--fg:#1d2530;--mut:#667085;--line:#e4e8ee;--ok:#138a5e;--bad:#c4314b}
@media (prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2028;--fg:#e6e9ee;--mut:#98a2b3;
--line:#2b323d;--ok:#4fcf9c;--bad:#f27d92}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1200px;margin:0 auto;padding:28px 20px 40px}
h1{font-size:24px;line-height:1.3;margin:0 0 8px;overflow-wrap:anywhere}
h1 span{font-size:12px;letter-spacing:.04em;vertical-align:3px;padding:2px 8px;border-radius:99px;
border:1px solid currentColor;color:var(--mut);white-space:nowrap}
h1 .ok{color:var(--ok)}h1 .bad{color:var(--bad)}
h2{font-size:16px;margin:0 0 12px}small{font-weight:400;color:var(--mut);font-size:13px;margin-left:8px}
p{margin:4px 0;overflow-wrap:anywhere}.lead{font-size:19px;line-height:1.45;max-width:60em;margin-bottom:8px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:16px 16px 14px;margin-top:16px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin-top:18px}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tiles b,.tiles i{display:block;font-weight:400;font-style:normal;font-size:13px;color:var(--mut)}
.tiles strong{font-size:22px;font-weight:600;white-space:nowrap}
.names span{margin-right:18px;white-space:nowrap}.names svg{display:inline-block;margin-right:6px}
.grid{display:grid;grid-template-columns:1fr 1fr;gap:14px 8px}
svg{display:block;max-width:100%;height:auto}.wide svg{width:100%}.narrow{display:none}
.scroll{overflow-x:auto;margin-top:8px}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;min-width:60%}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-weight:500;color:var(--mut)}th:first-child,td:first-child{text-align:left;padding-left:0}
th.w,td.w{text-align:left}
tr:last-child td{border-bottom:0}.words td{text-align:left;white-space:normal;overflow-wrap:anywhere}
.words td:first-child{color:var(--mut);white-space:nowrap;padding-right:24px}
li{margin-left:1.1em;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:auto 1fr;gap:4px 20px;margin:0}
dt{font-weight:500;white-space:nowrap}dd{margin:0;color:var(--mut)}
details{margin-top:16px}summary{cursor:pointer;font-weight:600;overflow-wrap:anywhere}
footer{color:var(--mut);font-size:13px;margin-top:20px}
@media (max-width:760px){main{padding:18px 10px}.grid{display:block}.wide{display:none}.narrow{display:block}
.narrow svg{width:100%}.lead{font-size:17px}section{padding:14px 10px;border-radius:8px}
dl{display:block}dd{margin-bottom:8px}.tiles{grid-template-columns:1fr 1fr}h1{font-size:20px}}
@media print{body{background:#fff}section{break-inside:avoid}}
"""
