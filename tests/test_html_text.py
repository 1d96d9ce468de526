"""HTML of mails as text to read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_plugin.mail import html_reading
from cs_plugin.mail.html_text import is_stub, text_of

# HTML, and how it reads.
READS = {
    "paragraphs": ("<p>One</p><p>Two<br>lines</p>", "One\n\nTwo\nlines"),
    "divisions": ("<div>One</div><div>Two</div><div><br></div><div>Three</div>", "One\nTwo\n\nThree"),
    "paragraphs of Outlook": ('<p class="MsoNormal">One</p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><p class="MsoNormal">Two</p>', "One\n\nTwo"),
    "blanks": ("<p>  One \n\t two&nbsp;three  <b> four</b></p>", "One two three four"),
    "entities": ("<p>&lt;b&gt; &amp; &euro; &#8364; &eacute;&nosuch;</p>", "<b> & € € é&nosuch;"),
    "a list": ("<ul><li>lamp<li>shade<ul><li>blue</ul></ul>", "- lamp\n- shade\n\n  - blue"),
    "a numbered list": ('<ol start="3"><li>lamp</li><li>shade</li></ol>', "3. lamp\n4. shade"),
    "a table": ("<table><tr><th>Product</th><th>Pieces</th></tr><tr><td>Lamp</td><td>2</td></tr></table>", "Product | Pieces\nLamp | 2"),
    "a table for the looks": ("<table><tr><td><table><tr><td><p>One</p></td></tr></table></td><td></td></tr></table>", "One"),
    "a link": ('See <a href="https://shop.example/lamp">the lamp</a>.', "See the lamp (https://shop.example/lamp)."),
    "a link that says where to": ('<a href="https://shop.example/">shop.example</a>', "shop.example"),
    "an address": (
        '<a href="mailto:rosa@mail.example?subject=x">Rosa</a> <a href="mailto:a@b.example">a@b.example</a>', "Rosa (rosa@mail.example) a@b.example",
    ),
    "a button": ('<a href="https://shop.example/t"><div>Answer</div></a>', "Answer (https://shop.example/t)"),
    "a link that runs": ('<a href="javascript:alert(1)">click</a>', "click"),
    "pictures": ('<img src="https://x.example/p.gif" width="1" alt="p"><img src="cid:1" alt="Our lamp"> <img src="cid:2">', "[Our lamp]"),
    "kept blanks": ("<pre>a\n  b</pre>", "a\n  b"),
    "scripts and styles": ("<style>p{}</style><script>alert(1)</script><title>No</title>Yes<template>No</template>", "Yes"),
    "comments": ("<!-- no --><!--[if mso]>no<![endif]-->Yes", "Yes"),
    "a preheader": ('<div style="display:none;max-height:0">Hidden</div>Shown', "Shown"),
    "a hidden attribute": ("<p hidden>No</p><p style='visibility: hidden'>No</p><p style='mso-hide:all'>No</p>Yes", "Yes"),
    "fill of a preheader": ("<div>&zwnj;&nbsp;&zwnj;&nbsp;\u034f\u200b</div>Yes", "Yes"),
    "nothing but what is hidden": ('<div style="display:none">All there is</div>', "All there is"),
    "a quote": ("<p>Yes</p><blockquote>One<blockquote>Two</blockquote></blockquote>", "Yes\n\n> One\n>\n> > Two"),
    "a line": ("One<hr>Two", "One\n--------------------\nTwo"),
    "tags that do not match": ("<b><p>One</i></b><td>Two</table><div", "One\n\nTwo"),
    "no tags": ("just text", "just text"),
    "nothing": ("", ""),
    "empty": ("<html><body><br>&nbsp;</body></html>", ""),
    "a character that is none": ("a\ud800b\0c", "a?bc"),
}


@pytest.mark.shows("10.7")
@pytest.mark.parametrize("name", READS)
def test_html_reads_as_text(name: str):
    """Each kind of HTML reads as a person would have written it."""
    html, text = READS[name]
    assert text_of(html) == text


@given(st.text(alphabet=st.sampled_from('<>/="\' abdiptr!-&;#x0\n\0\ud800é'), max_size=200))
def test_no_html_is_too_broken(html: str):
    """Whatever stands between angle brackets, reading it raises nothing and leaves no control character of the markup."""
    assert "\0" not in text_of(html)


@pytest.mark.parametrize("tag", ["div", "b", "blockquote", "table><tr><td", "ul><li", "font"])
def test_deep_nesting_leaves_the_text(tag: str):
    """Elements a hundred thousand deep in one another cost no stack, and the text in them is read."""
    assert "deep" in text_of(f"<{tag}>" * 100_000 + "deep" + "after")


# HTML of megabytes, made to be slow, with the word that stands at its beginning.
HUGE = {
    "paragraphs": "found" + "<p>a" * 1_500_000,
    "angle brackets": "found" + "<" * 5_000_000,
    "cells": "found<table><tr>" + "<td>a</td>" * 500_000,
    "ends without beginnings": "found" + "<font>" * 500 + "</p>" * 200_000,
    "attributes": "found<p " + " ".join(f"a{number}=1" for number in range(100_000)) + ">x",
    "styles": "found" + ('<p style="' + "display:" * 500 + '">x') * 500,
    "links": "found" + '<a href="http://x.example/">b</a>' * 200_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_html_is_read_in_part(name: str):
    """Past what is read nothing is; what stands before is there, and "…" tells of the rest."""
    text = text_of(HUGE[name])
    assert text.startswith("found")
    assert len(text) <= 2 * html_reading.MOST_READ


def test_what_is_left_out_is_told_of():
    """A text that was not read to its end ends with "…"."""
    assert text_of("<p>a" * html_reading.MOST_TOLD).endswith("\n…")


def test_a_picture_that_html_carries_is_passed_over():
    """A picture of 20 MB in an attribute keeps nothing of the text behind it from being read."""
    assert text_of(f'<img src="data:image/png;base64,{"A" * 20_000_000}">after') == "after"


@pytest.mark.parametrize("text", [
    "", "  \n\t", "https://news.example/view?id=1", "<https://news.example/>", "--\n",
    "Your email client does not support HTML. Please view this message in your browser: https://news.example/",
    "This message requires an HTML capable e-mail program.",
    "To view this email as a web page, open this message in a browser.",
    "Ihr E-Mail-Programm kann kein HTML darstellen.",
    "Diese E-Mail kann nur im HTML-Format angezeigt werden.",
    "Votre messagerie n'affiche pas les messages au format HTML.",
    "Su cliente de correo no soporta HTML.",
    "Il tuo programma di posta non supporta HTML.",
    "Seu cliente de e-mail não suporta mensagens em HTML; pode visualizar HTML aqui.",
    "Uw e-mailprogramma ondersteunt geen HTML.",
    "Twój program pocztowy nie obsługuje formatu HTML.",
    "Ваша почтовая программа не поддерживает HTML.",
    "您的邮件客户端不支持 HTML 格式。",
    "このメールはHTML形式です。表示できません。",
    "برنامج البريد لا يدعم HTML",
])
def test_a_text_part_that_only_excuses_itself_is_a_stub(text: str):
    """A text part that is empty, only a link, or only says that there is HTML, says nothing."""
    assert is_stub(text)


@pytest.mark.parametrize("text", [
    "Yes", "12", "Where is my order 4711? See https://shop.example/4711", "Bitte um Rückruf.", "好", "🙂 ok",
    "I cannot open the page of the order. " * 20 + "It shows HTML.",
])
def test_a_text_part_with_words_is_none(text: str):
    """What says anything is what the customer wrote."""
    assert not is_stub(text)
