"""The pictures of the products, drawn as SVG: the store needs no files and no other host for them."""

from __future__ import annotations

from string import Template

# A drawing stands on a wall and a table; `deep`, `body` and `light` are the shades of its glaze or cloth.
_SCENE = Template("""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400">
<defs>
<linearGradient id="wall" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="$wall_light"/><stop offset="1" stop-color="$wall"/></linearGradient>
<linearGradient id="glaze" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="$light"/><stop offset=".42" stop-color="$body"/><stop offset="1" stop-color="$deep"/></linearGradient>
<linearGradient id="raw" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="#e9dcc6"/><stop offset="1" stop-color="#bfa684"/></linearGradient>
</defs>
<rect width="400" height="400" fill="url(#wall)"/>
<rect y="302" width="400" height="98" fill="$table"/>
<ellipse cx="214" cy="326" rx="$shadow" ry="13" fill="#1d2421" opacity=".2"/>
$drawing
</svg>
""")

_DRAWINGS = {
    "jug": """<path d="M268 150c52-14 62 92-12 104" fill="none" stroke="$deep" stroke-width="15" stroke-linecap="round"/>
<path d="M150 92c-6 28-32 70-32 134 0 62 30 100 82 100s82-38 82-100c0-60-24-96-28-134l-14 6c-30 10-66 8-90-6z" fill="url(#glaze)"/>
<path d="M118 240c4 54 34 86 82 86s78-32 82-86c-24 18-52-6-82 4s-58 14-82-4z" fill="url(#raw)"/>
<path d="M152 96c-6-2-16-12-22-24 20-2 36 6 46 14z" fill="$light"/><ellipse cx="202" cy="94" rx="52" ry="12" fill="$deep"/>""",
    "bowl": """<path d="M78 196c0 76 48 130 122 130s122-54 122-130z" fill="url(#glaze)"/>
<path d="M160 318h80v10c0 6-80 6-80 0z" fill="url(#raw)"/>
<ellipse cx="200" cy="196" rx="122" ry="26" fill="$deep"/><ellipse cx="200" cy="201" rx="112" ry="20" fill="$body"/>
<g><path d="M138 202c-16-34 12-46 22-72 12 24 44 40 28 72z" fill="#4a2a44"/><path d="M200 206c-16-32 12-42 22-66 12 22 42 36 26 66z" fill="#7d4a6d"/></g>
<path d="M160 132c1-9 3-14 9-19M222 142c1-8 3-13 9-17" stroke="#6f7a4c" stroke-width="6" stroke-linecap="round" fill="none"/><path d="M88 201c16 22 208 22 224 0-18 26-206 26-224 0z" fill="$body"/>""",
    "cups": """<path d="M196 210c44-10 50 66-8 70" fill="none" stroke="$deep" stroke-width="11"/>
<path d="M92 178h112c0 70-6 148-56 148s-56-78-56-148z" fill="url(#glaze)"/><ellipse cx="148" cy="178" rx="56" ry="13" fill="$deep"/><ellipse cx="148" cy="181" rx="47" ry="9" fill="#5b3a26"/>
<path d="M318 236c38-8 42 54-6 58" fill="none" stroke="#b79f7e" stroke-width="10"/>
<path d="M224 214h98c0 58-6 112-49 112s-49-54-49-112z" fill="url(#raw)"/><ellipse cx="273" cy="214" rx="49" ry="11" fill="#a58c69"/><ellipse cx="273" cy="217" rx="41" ry="7" fill="#5b3a26"/>
<path d="M96 216c30 12 70 12 104 0" stroke="$light" stroke-width="5" fill="none" opacity=".7"/>""",
    "vase": """<g fill="none" stroke="#6c7350" stroke-width="4" stroke-linecap="round"><path d="M200 150c-6-50-36-70-44-104"/><path d="M202 150c2-50 10-80 8-122"/><path d="M204 150c10-44 40-62 54-92"/></g>
<g fill="#8d9468"><ellipse cx="160" cy="64" rx="9" ry="20" transform="rotate(-24 160 64)"/><ellipse cx="180" cy="88" rx="9" ry="19" transform="rotate(24 180 88)"/><ellipse cx="210" cy="40" rx="9" ry="21"/><ellipse cx="224" cy="78" rx="8" ry="18" transform="rotate(30 224 78)"/><ellipse cx="196" cy="84" rx="8" ry="18" transform="rotate(-26 196 84)"/><ellipse cx="254" cy="68" rx="9" ry="20" transform="rotate(34 254 68)"/><ellipse cx="236" cy="112" rx="8" ry="17" transform="rotate(52 236 112)"/></g>
<path d="M180 136c2 30-8 42-34 62-28 22-34 52-22 86 10 28 36 42 76 42s66-14 76-42c12-34 6-64-22-86-26-20-36-32-34-62z" fill="url(#glaze)"/>
<ellipse cx="200" cy="136" rx="20" ry="6" fill="$deep"/><path d="M122 262c40 14 112 16 156 0M124 276c42 14 110 14 152 0" fill="none" stroke="$light" stroke-width="4" opacity=".75"/>""",
    "plates": """<circle cx="200" cy="152" r="90" fill="$deep"/><circle cx="196" cy="150" r="90" fill="url(#glaze)"/><circle cx="196" cy="150" r="64" fill="none" stroke="$deep" stroke-width="3" opacity=".5"/><path transform="translate(-4 8)" d="M200 186c-2-34 0-60 2-88M201 150c-14-6-22-16-24-28M201 138c12-6 20-14 22-26M200 168c-12-4-20-12-24-22M201 164c12-4 18-10 22-20" stroke="$light" stroke-width="5" stroke-linecap="round" fill="none"/>
<g><ellipse cx="200" cy="312" rx="140" ry="22" fill="$deep"/><ellipse cx="200" cy="302" rx="140" ry="22" fill="url(#glaze)"/>
<ellipse cx="200" cy="290" rx="132" ry="21" fill="#bfa684"/><ellipse cx="200" cy="280" rx="132" ry="21" fill="url(#raw)"/>
<ellipse cx="200" cy="268" rx="124" ry="20" fill="$deep"/><ellipse cx="200" cy="258" rx="124" ry="20" fill="url(#glaze)"/><ellipse cx="200" cy="259" rx="92" ry="13" fill="$deep" opacity=".35"/></g>""",
    "teapot": """<path d="M288 214c60-34 62 90-14 78" fill="none" stroke="$deep" stroke-width="15" stroke-linecap="round"/>
<path d="M124 236c-34-8-34-54-66-70 30-12 52 6 76 34z" fill="$light"/>
<path d="M200 160c-66 0-96 40-96 86 0 50 36 80 96 80s96-30 96-80c0-46-30-86-96-86z" fill="url(#glaze)"/>
<ellipse cx="200" cy="166" rx="56" ry="13" fill="$deep"/><path d="M152 162c4-22 92-22 96 0z" fill="url(#raw)"/><circle cx="200" cy="136" r="13" fill="url(#raw)"/>""",
    "tablecloth": """<path d="M62 178l276 0 34 148c-16 10-30-8-46 0s-30 8-46 0-30-8-46 0-30 8-46 0-30-8-46 0-30 8-46 0-32 8-68 0z" fill="url(#glaze)"/>
<path d="M62 178c40-16 236-16 276 0l4 18H58z" fill="$light"/><g stroke="$deep" stroke-width="3" opacity=".45" fill="none"><path d="M112 200l-26 122M160 200l-14 126M208 200v120M256 200l14 126M300 200l26 122"/></g>
<path d="M50 292h300M46 304h308" stroke="#fbf8f1" stroke-width="4" opacity=".8"/>
<path d="M172 176c0-30 12-30 12-58h34c0 28 12 28 12 58z" fill="url(#raw)"/><path d="M200 118c-8-30-4-50 6-70M202 100c-14-4-24-14-28-26M204 92c14-4 22-12 26-26" fill="none" stroke="#6c7350" stroke-width="5" stroke-linecap="round"/>""",
    "napkins": """<rect x="86" y="290" width="232" height="36" rx="14" fill="url(#raw)"/><rect x="80" y="258" width="240" height="36" rx="14" fill="url(#glaze)"/><rect x="88" y="226" width="228" height="36" rx="14" fill="url(#raw)"/><rect x="82" y="192" width="236" height="38" rx="14" fill="url(#glaze)"/>
<path d="M188 192h26v134h-26z" fill="#8a6d4b"/><path d="M201 192c-30-34-60-24-48-8 8 10 30 12 48 8zm0 0c30-34 60-24 48-8-8 10-30 12-48 8z" fill="#a98a62"/>
<path d="M201 190c-6-36 6-66 34-84" fill="none" stroke="#6c7350" stroke-width="4" stroke-linecap="round"/><g fill="#8d9468"><ellipse cx="190" cy="150" rx="7" ry="16" transform="rotate(-36 190 150)"/><ellipse cx="222" cy="148" rx="7" ry="16" transform="rotate(62 222 148)"/><ellipse cx="203" cy="122" rx="7" ry="16" transform="rotate(-14 203 122)"/><ellipse cx="240" cy="98" rx="7" ry="16" transform="rotate(54 240 98)"/></g>""",
    "towel": """<rect x="70" y="76" width="260" height="9" rx="4" fill="#8a6d4b"/><circle cx="70" cy="80" r="9" fill="#8a6d4b"/><circle cx="330" cy="80" r="9" fill="#8a6d4b"/>
<path d="M126 74h148v226c-24 8-48-4-74 2s-50 4-74-2z" fill="url(#glaze)"/><path d="M126 74h148v24H126z" fill="$light"/>
<g stroke="#fbf8f1" opacity=".85"><path d="M126 240h148" stroke-width="9"/><path d="M126 258h148" stroke-width="4"/><path d="M126 270h148" stroke-width="4"/></g>
<path d="M132 300v12M146 303v12M160 304v12M174 304v12M188 303v12M202 302v12M216 301v12M230 301v12M244 302v12M258 303v12M270 301v12" stroke="$deep" stroke-width="3"/>""",
    "blanket": """<rect x="76" y="262" width="248" height="64" rx="30" fill="$deep"/><rect x="72" y="206" width="252" height="62" rx="31" fill="url(#glaze)"/><rect x="82" y="152" width="236" height="60" rx="30" fill="$light"/><rect x="78" y="100" width="240" height="58" rx="29" fill="url(#glaze)"/>
<g stroke="#fff" stroke-width="5" opacity=".7"><path d="M126 100v58M140 100v58M126 152v60M140 152v60M126 206v62M140 206v62M126 262v64M140 262v64"/></g><g stroke="$deep" stroke-width="3" stroke-linecap="round"><path d="M318 114l12 2M320 126l12 1M319 138l12-1M318 166l12 2M320 180l12 1M318 194l12-1M322 222l12 2M324 236l12 1M323 250l12-1"/></g>""",
    "basket": """<path d="M118 196c0-120 164-120 164 0" fill="none" stroke="#8a6d4b" stroke-width="14"/>
<path d="M84 190h232l-26 122c-4 18-176 18-180 0z" fill="url(#raw)"/>
<g stroke="#8a6d4b" stroke-width="5" opacity=".6" fill="none"><path d="M90 216c70 16 150 16 220 0M96 244c66 16 142 16 208 0M102 272c62 16 134 16 196 0M108 298c58 14 126 14 184 0"/><path d="M126 194l10 126M164 196l4 130M200 196v132M236 196l-4 130M274 194l-10 126" stroke-width="4"/></g>
<path d="M78 184h244v16c-60 14-184 14-244 0z" fill="#a98a62"/>
<path d="M118 186c4-34 36-46 62-28 24-30 82-24 92 28z" fill="url(#glaze)"/>""",
    "candles": """<path d="M120 150h52v176h-52z" fill="url(#glaze)"/><path d="M190 200h48v126h-48z" fill="url(#raw)"/><path d="M256 236h52v90h-52z" fill="url(#glaze)"/>
<ellipse cx="146" cy="150" rx="26" ry="7" fill="$light"/><ellipse cx="214" cy="200" rx="24" ry="6" fill="#f4ead6"/><ellipse cx="282" cy="236" rx="26" ry="7" fill="$light"/>
<path d="M146 150v-14M214 200v-14M282 236v-14" stroke="#3b322b" stroke-width="3"/>
<g fill="#f3b14b"><path d="M146 138c-12-10-8-24 0-38 8 14 12 28 0 38z"/><path d="M214 188c-12-10-8-24 0-38 8 14 12 28 0 38z"/><path d="M282 224c-12-10-8-24 0-38 8 14 12 28 0 38z"/></g>
<g fill="#fff2cf"><path d="M146 136c-6-6-4-12 0-20 4 8 6 14 0 20z"/><path d="M214 186c-6-6-4-12 0-20 4 8 6 14 0 20z"/><path d="M282 222c-6-6-4-12 0-20 4 8 6 14 0 20z"/></g>""",
}

# light, body and deep shade; wall, its lit corner, and the table.
_PALETTES = {
    "fjord": ("#8fb0b3", "#4f7c85", "#2c505a", "#dfe3dc", "#f2f2ec", "#cfc7b8"),
    "fig": ("#a9819b", "#74456a", "#4a2846", "#eadfdc", "#f7f0ec", "#d3c2b4"),
    "chalk": ("#fbf8f1", "#ebe4d5", "#c5b9a2", "#c9d3ce", "#e0e7e2", "#a89a83"),
    "heath": ("#d3a6a0", "#b3746e", "#7f4a48", "#efe3da", "#f9f2eb", "#d6c0aa"),
    "moss": ("#b9c09a", "#838d60", "#555d3a", "#e9e6da", "#f6f4ea", "#cbbfa4"),
    "amber": ("#ecc98c", "#cf9a4d", "#96682a", "#e3ded6", "#f4f1ea", "#b9a78e"),
    "night": ("#7b8da6", "#47597a", "#283652", "#e5dfd5", "#f5f1e9", "#c4b199"),
}


def draw(drawing: str, palette: str) -> str:
    """Return a product's picture as an SVG document."""
    light, body, deep, wall, wall_light, table = _PALETTES[palette]
    shades = {"light": light, "body": body, "deep": deep}
    return _SCENE.substitute(
        shades, wall=wall, wall_light=wall_light, table=table, shadow=146, drawing=Template(_DRAWINGS[drawing]).substitute(shades)
    )
