"""Which charset bytes are in that say nothing of it, by the letters that they would be: those that are common where the charset is used.

charset-normalizer was tried first: on texts as short as a mail's it took French for Croatian and Russian for Japanese, and it took longer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# For each charset the letters beyond ASCII that are common in its languages: Chinese and Korean by frequent signs, Japanese by its syllables.
_KANA = "".join(map(chr, range(0x3041, 0x3094))) + "".join(map(chr, range(0x30A1, 0x30F7))) + "ー、。「」日本人月年大国中出時注文様件"
_HAN = (
    "的一是不了在人有我他这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学么之都好看起发当没成只如事把还用第样道想作种开美总从无情己面最女但"
    "请问订单货您谢收到什候何物快递退款换价钱件质量服务客联系信息电话地址公司附"
)
_HAN_OLD = (
    "的一是不了在人有我他這個上們來到時大地為子中你說生國年著就那和要她出也得裡後自以會家可下而過天去能對小多然於心學麼之都好看起發當沒成只如事把還用第樣道想作種開美總從無情己面最女但"
    "請問訂單貨您謝收到什候何物快遞退款換價錢件質量服務客聯繫信息電話地址公司附"
)
_HANGUL = (
    "이다는에을가의로고하한지어도기아서사리자들은나를그시라요대해있만주니일것수안인정스보여오부과적상으까면장전제했습게구때내거언문송배달받감원세우었경확"
    "을와세동성화연신국공무소"
)
_COMMON: Mapping[str, str] = {
    "cp1252": "éèêëàâäáãåçîïíìñôöóòõøœùûüúýæßÉÈÀÂÄÅÇÑÖÓØÜÚÆ€–—’‘“”«»°¿¡£§´…",
    "cp1254": "ığşçöüİĞŞÇÖÜâî’“”–…",
    "cp1250": "ąćęłńóśźżÓŁŚŻÍŠČŽŘÁÚÝĐáčďéěíňřšťúůýžőűôľĺŕäöüăâîșțţşđ„”–’…",
    "cp1251": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфёіїєґў№«»—–ОЕАИНТСРВЛКМДПУЯГЗБЧЖШЭ",
    "koi8_r": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфё",
    "cp1253": "αοιετσνηυρπκμλςωόήάίέγδχθφβξζύώψΑΟΙΕΤΣΝΗΠΚΜΓΔΘ",
    "cp1255": "יוהלארתבשמנםעכדחפקגזצןטסךףץ",
    "cp1256": "الينمروتبةعدسفهكقأحجشطصخذزضثظءىإؤئآغ،؟ًپچگیک",
    "cp874": "านรกอเงมยล่วด้ทสตะปบคห็แจพชข์ีใไิัูึุืโผซธฐณญศษำๆถ",
    "cp932": _KANA,
    "euc_jp": _KANA,
    "gb18030": _HAN + "，。？！：“”",
    "cp950": _HAN_OLD + "，。？！：「」",
    "cp949": _HANGUL,
}
# Alphabets of whose letters the first are the most frequent, and count the most: neighbours in one place are often letters of another alphabet too.
_ALPHABETS = frozenset(("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874"))
_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    codec: {letter: 1.1 - 0.4 * at / len(letters) if codec in _ALPHABETS else 1.0 for at, letter in reversed(list(enumerate(letters)))}
    for codec, letters in _COMMON.items()
}
_LATIN = frozenset(("cp1252", "cp1250", "cp1254"))
_CASELESS = frozenset(("cp1255", "cp1256", "cp874", "cp932", "euc_jp", "gb18030", "cp950", "cp949"))
_SAMPLE = 4_096
# A capital behind a small letter is a sign of the wrong alphabet, as is a sign in the middle of a Latin word.
_GLUED = re.compile(r"[A-Za-z](?=[^\W\x00-\x7f])|[^\W\x00-\x7f](?=[A-Za-z])")
_TURNED = re.compile(r"[a-zà-öø-ÿа-яёα-ω][A-ZÀ-ÖØ-ÞА-ЯЁΑ-Ω]")
_SIGN_WITHIN = re.compile(r"[A-Za-z][^\w\s'’‘´.…–—@/_-][A-Za-z]")


def likely_charset(raw: bytes) -> str:
    """Return Python's name of the charset that bytes beyond ASCII are most likely in, or an empty text where none of ours has such letters."""
    strange = next((at for at, byte in enumerate(raw[: 16 * _SAMPLE]) if byte > 0x7F), 0)
    sample = raw[max(0, strange - 64) :][:_SAMPLE]
    best, found = 0.0, ""
    for codec, weights in _WEIGHTS.items():
        score = _score(sample, codec, weights)
        if score > best:
            best, found = score, codec
    return found


def _score(sample: bytes, codec: str, weights: Mapping[str, float]) -> float:
    """Return how much of the bytes beyond ASCII would be common letters: 1 for all of them, less than 0 for rubbish."""
    try:
        # The last letter may be cut.
        text = sample.decode(codec) if len(sample) < _SAMPLE else sample[:-1].decode(codec, "ignore")
    except UnicodeError:
        return -1.0
    others = [letter for letter in text if letter > "\x7f"]
    if not others:
        return -1.0
    usual = sum(weights.get(letter, 0.0) for letter in others) / len(others)
    letters = sum(letter.isalpha() or letter in weights for letter in others) / len(others)
    turned = 0 if codec in _CASELESS else len(_TURNED.findall(text)) + len(_SIGN_WITHIN.findall(text))
    score = 0.8 * usual + 0.2 * letters - turned / len(others)
    if codec not in _LATIN:
        return score - len(_GLUED.findall(text)) / len(others)   # no word is of two alphabets
    # Accented letters are few among plain ones; a text of nothing else is in no Latin alphabet.
    plain = sum(letter.isalpha() for letter in text if letter <= "\x7f")
    return score - (1.0 if len(others) > plain + 2 else 0.0)
