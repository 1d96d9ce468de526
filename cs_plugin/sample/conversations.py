"""What people write in the sample: conversations by language, in the words of a small shop's customers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conversation:
    """A subject, and texts in turn: the customer's first, then an employee's, and so on. {order} and {product} are filled in.

    `note` is what an employee notes for colleagues, if anything. `technical` ones go to the first contact.
    """

    subject: str
    turns: tuple[str, ...]
    note: str = ""
    technical: bool = False


CONVERSATIONS: dict[str, tuple[Conversation, ...]] = {
    "en": (
        Conversation(
            "Where is my parcel?",
            (
                "Hello,\n\nI ordered {product} nine days ago (order {order}) and the tracking page has not moved since Tuesday. "
                "Could you have a look where it is? It is a present for Saturday.\n\nThank you",
                "Dear customer,\n\nThe carrier held the parcel for a day because the street number was not readable. It is on the van again "
                "and should reach you tomorrow before noon.\n\nRegards,\nCustomer service",
                "It came this morning, in one piece. Thank you for looking into it so quickly!",
            ),
            note="Called the carrier, ref. 88-2041. They scan it again tonight; if not delivered by Friday, send a second one by express.",
        ),
        Conversation(
            "Jug arrived broken",
            (
                "Good morning, the {product} from order {order} arrived with a crack along the handle. The box itself looked fine. "
                "I can send photographs. Would you replace it, or shall I return it first?",
                "Dear customer,\n\nWe are sorry about that. No need to send it back: a new one leaves the workshop tomorrow. "
                "A photograph would help us with the packing.\n\nRegards,\nCustomer service",
            ),
        ),
        Conversation("Change of address", ("Can I still change the delivery address of order {order}? I typed the old flat number.",)),
        Conversation(
            "Gift card does not work",
            (
                "The gift card code says it has expired, but the mail I was given it with says it is valid for two years.",
                "Dear customer,\n\nYou are right, the date was entered wrongly on our side. The card is valid until the end of next year now.\n\n"
                "Regards,\nCustomer service",
                "Works now. Cheers!",
            ),
        ),
        Conversation(
            "Invoice with our VAT number",
            (
                "We need the invoice for {order} made out to our company with the VAT number, otherwise our accountant sends it back to me. "
                "Where can I enter it?",
            ),
        ),
        Conversation(
            "Error on the payment page",
            (
                "The payment page shows an error 500 every time I choose my card, on the phone and on the laptop.",
                "Thank you for telling us. It was mended an hour ago; would you try once more?",
            ),
            note="Payment provider had an outage between 14:10 and 15:05. Nothing to do on our side.",
            technical=True,
        ),
        Conversation(
            "Which glaze is food safe?", ("Is the glaze of {product} safe for acidic food such as lemon juice, and may it go into the dishwasher?",)
        ),
        Conversation(
            "Returning a present",
            ("I was given {product} and already own it. Can it be returned without the receipt? I know the order reference: {order}.",),
        ),
        Conversation(
            "Thank you", ("No question this time: {product} is beautiful, and it was wrapped with such care. I will order again before Christmas.",)
        ),
        Conversation("Shipping to Norway", ("Do you ship to Norway, and who pays the customs there? I could not find it in your terms.",)),
        Conversation(
            "Cannot sign in", ("I asked for a new password four times and no mail arrives. Is something wrong with my account?",), technical=True
        ),
    ),
    "fr": (
        Conversation(
            "Colis marqué livré",
            (
                "Bonjour,\n\nLe suivi indique que ma commande {order} a été livrée hier à 15 h 40, mais je n’ai rien reçu et la gardienne non plus. "
                "Pouvez-vous vérifier auprès du transporteur ?\n\nMerci d’avance",
                "Bonjour,\n\nLe colis a été déposé chez votre voisin du deuxième étage ; le transporteur aurait dû laisser un avis. "
                "Dites-nous s’il manque quoi que ce soit.\n\nCordialement,\nLe service client",
                "Je l’ai bien récupéré chez le voisin. Merci beaucoup, tout est parfait !",
            ),
        ),
        Conversation(
            "Échange de couleur",
            ("Bonjour, est-il possible d’échanger {product} contre la version bleu nuit ? Je peux rapporter l’article en boutique.",),
        ),
        Conversation(
            "Facture en double",
            (
                "J’ai reçu deux factures pour la commande {order}. Laquelle est la bonne ?",
                "Bonjour, la seconde annule la première : gardez uniquement celle du 12. Cordialement, le service client",
            ),
            note="Double envoi après la mise à jour du module de facturation ; signalé à la comptabilité.",
        ),
        Conversation(
            "Le mot de passe", ("La réinitialisation du mot de passe renvoie toujours vers la page d’accueil. J’utilise Firefox.",), technical=True
        ),
        Conversation("Entretien du lin", ("À quelle température peut-on laver {product} sans qu’il rétrécisse ?",)),
    ),
    "ar": (
        Conversation(
            "تأخر الطلب",
            (
                "مرحباً، لم يصلني الطلب {order} حتى الآن، وكان من المفترض أن يصل يوم الأحد. هل يمكنكم معرفة مكانه؟",
                "مرحباً،\n\nوصلت الشحنة إلى مركز التوزيع هذا الصباح وستصلكم غداً قبل الظهر.\n\nمع التحية،\nخدمة العملاء",
            ),
        ),
        Conversation("تغيير المقاس", ("السلام عليكم، هل يمكنني تغيير مقاس {product} قبل الشحن؟ رقم الطلب {order}.",)),
        Conversation("اللون الأزرق", ("متى يتوفر اللون الأزرق مرة أخرى؟ أحتاج إلى ست قطع منه.",)),
        Conversation(
            "مشكلة في الدفع",
            ("صفحة الدفع لا تعمل على هاتفي، وقد خُصم المبلغ مرتين.", "نعتذر عن ذلك. أُلغيت العملية الثانية وسيعود المبلغ خلال ثلاثة أيام."),
            technical=True,
        ),
    ),
    "de": (
        Conversation(
            "Sprung in der Vase",
            (
                "Guten Tag, die Vase aus Bestellung {order} kam mit einem Sprung an. Fotos kann ich gern schicken. Wie gehen wir vor?",
                "Guten Tag,\n\ndas tut uns leid. Eine neue Vase geht heute noch auf den Weg, die alte dürfen Sie behalten.\n\nFreundliche Grüße\nKundenservice",
                "Danke für die schnelle Hilfe, das Paket ist heute angekommen.",
            ),
        ),
        Conversation("Lieferzeit", ("Wie lange dauert der Versand von {product} nach Österreich? Auf der Seite steht nur Deutschland.",)),
        Conversation("Rechnung fehlt", ("Zu Bestellung {order} fehlt mir die Rechnung. Könnten Sie sie bitte noch einmal schicken?",)),
    ),
    "es": (
        Conversation(
            "Sin número de seguimiento",
            (
                "Buenas tardes, sigo sin número de seguimiento para mi pedido {order}. ¿Podrían comprobarlo?",
                "Estimada clienta:\n\nEl transportista ha recogido el paquete esta mañana. El número llegará por correo hoy mismo.\n\nUn saludo",
            ),
            note="Reclamación abierta al transportista; responden el lunes.",
        ),
        Conversation("Lista de boda", ("¿Se puede hacer una lista de boda con {product} y otras piezas de la misma serie?",)),
    ),
    "pl": (Conversation("Zwrot jednej sztuki", ("Dzień dobry, czy mogę zwrócić tylko jeden z dwóch kubków z zamówienia {order}?",)),),
    "it": (
        Conversation(
            "Rimborso",
            (
                "Buongiorno, aspetto ancora il rimborso per l’ordine {order}. Sono passate due settimane.",
                "Il rimborso è partito ieri.",
                "Perfetto, grazie!",
            ),
        ),
    ),
    "ja": (
        Conversation(
            "お届け日の変更", ("注文番号{order}のお届け日を来週の土曜日に変更できますか。", "承知いたしました。土曜日の午前中にお届けいたします。")
        ),
    ),
}

# Visitors without an account: a name that shows only in their address.
VISITORS = (
    "yuki.tanaka@example.jp",
    "p.osei@example.com",
    "m.k@relay.example",
    "sofie.vd.berg@example.nl",
    "rob.oconnor@example.ie",
    "lena.papad@example.gr",
    "amara.nwosu@example.ng",
    "t.mueller@example.at",
    "jan.kowalski@example.pl",
    "giulia.bianchi@example.it",
    "omar.alrashid@example.ae",
    "linnea.hakansson@example.se",
    "camille.lefevre@example.fr",
    "o.shevchenko@example.ua",
    "fz.elidrissi@example.ma",
    "anneliese@example.de",
)
PRODUCTS = ("stoneware jug", "linen table cloth", "oak bowl", "wool blanket", "set of four cups")
