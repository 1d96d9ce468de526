"""Sample predefined messages: what a store's employees write again and again."""

from __future__ import annotations

from sqlalchemy import select

from cs_plugin.desk import Bench
from cs_plugin.rules.languages import base
from cs_plugin.store.models import PredefinedMessage
from cs_plugin.store.predefined import new_predefined, write_shops, write_words

# Name and text by language; English where the store has another one.
MESSAGES = (
    {
        "en": ("On its way", "Your parcel has left our warehouse and should reach you within three working days."),
        "fr": ("En route", "Votre colis a quitté notre entrepôt et devrait vous parvenir sous trois jours ouvrés."),
        "ar": ("في الطريق", "غادر طردكم مستودعنا ومن المتوقع أن يصلكم خلال ثلاثة أيام عمل."),
    },
    {
        "en": ("Arrived broken", "We are sorry that it arrived broken. Please send us a picture of it and of its box: we replace it at once."),
        "fr": ("Arrivé cassé", "Nous sommes désolés qu'il soit arrivé cassé. Envoyez-nous une photo, carton compris : nous le remplaçons aussitôt."),
        "ar": ("وصل مكسورًا", "نأسف لوصوله مكسورًا. يرجى إرسال صورة له وللعلبة وسنستبدله فورًا."),
    },
    {
        "en": ("How to return", "Please put the return label on the parcel and bring it to any post office within 30 days."),
        "fr": ("Comment retourner", "Collez l'étiquette de retour sur le colis et déposez-le dans un bureau de poste sous 30 jours."),
        "ar": ("طريقة الإرجاع", "يرجى لصق ملصق الإرجاع على الطرد وتسليمه إلى أي مكتب بريد خلال 30 يومًا."),
    },
)


def write_predefined(bench: Bench) -> int:
    """Make the sample predefined messages for every shop, unless there are any, and return how many were made. The caller commits."""
    if bench.session.scalar(select(PredefinedMessage.id).limit(1)) is not None:
        return 0
    for position, words in enumerate(MESSAGES):
        message = new_predefined(bench.session, bench.now)
        message.position, message.active = position, True
        for language in bench.languages:
            name, text = words.get(base(language.code), words["en"])
            write_words(message, language.code, name=name, text=text)
        write_shops(message, {shop.id for shop in bench.shops})
    bench.session.flush()
    return len(MESSAGES)
