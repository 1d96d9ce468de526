"""What the store sells, in its three languages, and how each thing is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from examples.shop.models import Product


@dataclass(frozen=True, slots=True)
class Article:
    """A product as it begins; `names` and `descriptions` are English, French and Arabic."""

    slug: str
    category: str
    price: str
    drawing: str
    palette: str
    names: tuple[str, str, str]
    descriptions: tuple[str, str, str]

    def as_product(self) -> Product:
        """Return the row for it."""
        return Product(
            slug=self.slug,
            category=self.category,
            price=Decimal(self.price),
            **dict(zip(("name_en", "name_fr", "name_ar"), self.names, strict=True)),
            **dict(zip(("description_en", "description_fr", "description_ar"), self.descriptions, strict=True)),
        )


ARTICLES = (
    Article(
        "fjord-jug", "ceramics", "68", "jug", "fjord",
        ("Fjord jug", "Pichet Fjord", "إبريق فيورد"),
        (
            "Thrown in one piece, dipped in sea-blue glaze, bare at the foot. Holds a litre and a half and pours without a drop beside the glass.",
            "Tourné d'une seule pièce, trempé dans un émail bleu de mer, nu au pied. Il contient un litre et demi et verse sans une goutte à côté.",
            "مصنوع قطعة واحدة على الدولاب ومغموس في طلاء أزرق بلون البحر. يتسع للتر ونصف ويصب دون أن تسقط قطرة واحدة.",
        ),
    ),
    Article(
        "fig-bowl", "ceramics", "54", "bowl", "fig",
        ("Fig bowl", "Saladier Figue", "وعاء التين"),
        (
            "A wide bowl for the middle of the table, its glaze as dark as a ripe fig. For fruit, for salad, for keys.",
            "Un grand bol pour le milieu de la table, à l'émail sombre comme une figue mûre. Pour les fruits, la salade ou les clés.",
            "وعاء واسع لوسط المائدة، طلاؤه داكن كتينة ناضجة. للفاكهة أو السلطة أو المفاتيح.",
        ),
    ),
    Article(
        "tide-cups", "ceramics", "38", "cups", "fjord",
        ("Tide cups, a pair", "Tasses Marée, la paire", "فنجانا المد"),
        (
            "Two cups, one glazed and one bare. They stay warm as long as the conversation does.",
            "Deux tasses, l'une émaillée, l'autre brute. Elles restent chaudes le temps d'une conversation.",
            "فنجانان، أحدهما مطلي والآخر بلون الطين. يبقيان دافئين طوال الحديث.",
        ),
    ),
    Article(
        "heath-vase", "ceramics", "72", "vase", "heath",
        ("Heath vase", "Vase Lande", "مزهرية السهل"),
        (
            "Narrow at the neck, so that three branches are enough. The two lines are cut by hand before firing.",
            "Étroit au col : trois branches suffisent. Les deux lignes sont gravées à la main avant la cuisson.",
            "عنقها ضيق فتكفيها ثلاثة أغصان. الخطان محفوران باليد قبل الحرق.",
        ),
    ),
    Article(
        "skerry-plates", "ceramics", "96", "plates", "night",
        ("Skerry plates, set of four", "Assiettes Récif, lot de quatre", "أطباق الصخر، طقم من أربعة"),
        (
            "Four plates in two colours that like each other. Dishwasher and oven are no danger to them.",
            "Quatre assiettes en deux couleurs qui s'entendent bien. Ni le lave-vaisselle ni le four ne leur font peur.",
            "أربعة أطباق بلونين متآلفين، تتحمل غسالة الصحون والفرن.",
        ),
    ),
    Article(
        "harbour-teapot", "ceramics", "89", "teapot", "amber",
        ("Harbour teapot", "Théière du Port", "إبريق شاي الميناء"),
        (
            "A round pot for six cups, with a sieve burnt into the spout. The lid holds when the pot is tilted.",
            "Une théière ronde pour six tasses, avec un filtre cuit dans le bec. Le couvercle tient quand on la penche.",
            "إبريق مستدير لستة فناجين، مصفاته جزء من فوهته، وغطاؤه يثبت عند الإمالة.",
        ),
    ),
    Article(
        "midsummer-tablecloth", "linen", "120", "tablecloth", "moss",
        ("Midsummer tablecloth", "Nappe de la Saint-Jean", "مفرش منتصف الصيف"),
        (
            "Heavy linen, two metres sixty, washed before it is sewn. It is meant to be creased.",
            "Un lin lourd de deux mètres soixante, lavé avant d'être cousu. Il est fait pour être froissé.",
            "كتان ثقيل بطول مترين وستين، يُغسل قبل خياطته. تجاعيده من طبعه.",
        ),
    ),
    Article(
        "orchard-napkins", "linen", "42", "napkins", "fig",
        ("Orchard napkins, set of four", "Serviettes du Verger, lot de quatre", "مناديل البستان، طقم من أربعة"),
        (
            "Four napkins of half linen, half cotton, hemmed with a ladder stitch.",
            "Quatre serviettes moitié lin, moitié coton, à l'ourlet ajouré.",
            "أربعة مناديل نصفها كتان ونصفها قطن، بحاشية مطرزة.",
        ),
    ),
    Article(
        "quay-towel", "linen", "24", "towel", "night",
        ("Quay tea towel", "Torchon du Quai", "منشفة الرصيف"),
        (
            "Dries a whole dinner's glasses and hangs straight afterwards. Knotted fringe.",
            "Il essuie les verres de tout un dîner et pend droit ensuite. Franges nouées.",
            "تجفف كؤوس عشاء كامل ثم تتدلى مستقيمة. أهدابها معقودة.",
        ),
    ),
    Article(
        "north-blanket", "home", "148", "blanket", "chalk",
        ("North wool blanket", "Couverture du Nord", "بطانية الشمال"),
        (
            "Undyed wool of sheep that stay outside all winter, woven with two white stripes.",
            "La laine écrue de moutons qui passent l'hiver dehors, tissée de deux bandes blanches.",
            "صوف غير مصبوغ من خراف تمضي الشتاء في العراء، منسوج بخطين أبيضين.",
        ),
    ),
    Article(
        "market-basket", "home", "59", "basket", "heath",
        ("Market basket", "Panier du Marché", "سلة السوق"),
        (
            "Willow, cut in January and woven in spring. Carries nine kilograms and creaks a little.",
            "De l'osier coupé en janvier et tressé au printemps. Il porte neuf kilos et grince un peu.",
            "من صفصاف يُقطع في يناير ويُضفر في الربيع. تحمل تسعة كيلوغرامات وتصرّ قليلاً.",
        ),
    ),
    Article(
        "evening-candles", "home", "32", "candles", "amber",
        ("Evening candles, set of three", "Bougies du Soir, lot de trois", "شموع المساء، طقم من ثلاث"),
        (
            "Beeswax, poured in three heights, thirty hours of light between them.",
            "De la cire d'abeille coulée en trois hauteurs : trente heures de lumière à elles trois.",
            "من شمع العسل بثلاثة أطوال، تمنح معاً ثلاثين ساعة من الضوء.",
        ),
    ),
)

# The drawing and the palette of each product.
PICTURES = {article.slug: (article.drawing, article.palette) for article in ARTICLES}
