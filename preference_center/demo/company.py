"""The demo's company: its settings and keys, its topics, and its readers' addresses."""

import json
import random
import secrets
import shlex
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.topics import NewTopic
from preference_center.core.vocab import Cadence
from preference_center.data.output_files import text_file
from preference_center.settings.env import PREFIX
from preference_center.settings.settings import Settings
from preference_center.util.networks import private_network

FOLDER = "preference-center-demo"
ENVIRONMENT = "env.sh"
READER = "ada@example.org"
LOOPBACK = (private_network("127.0.0.0/8"), private_network("::1/128"))
TOPICS = (
    NewTopic(
        "weekly-news",
        "Weekly news",
        "What happened this week, every Friday.",
        cadence=Cadence.WEEKLY,
    ),
    NewTopic(
        "product-news",
        "Product news",
        "New things we have built, about once a month.",
        cadence=Cadence.MONTHLY,
    ),
    NewTopic(
        "offers",
        "Harbour offers",
        "Offers from the shops around the harbour, whenever there are some.",
    ),
)
_TEXTS = {
    "weekly-news": {
        "de": ("Wochenbrief", "Was in dieser Woche los war, jeden Freitag."),
        "ar": ("أخبار الأسبوع", "ما حدث هذا الأسبوع، كل يوم جمعة."),
        "es": ("Noticias de la semana", "Lo que ha pasado esta semana, cada viernes."),
        "fr": ("La lettre de la semaine", "Ce qui s’est passé cette semaine, chaque vendredi."),
        "it": ("Notizie della settimana", "Che cosa è successo questa settimana, ogni venerdì."),
        "ja": ("今週のお知らせ", "今週の出来事を、毎週金曜日にお届けします。"),
        "nl": ("Weeknieuws", "Wat er deze week is gebeurd, elke vrijdag."),
        "pl": ("Wieści tygodnia", "Co wydarzyło się w tym tygodniu, w każdy piątek."),
        "pt-BR": ("Notícias da semana", "O que aconteceu nesta semana, toda sexta-feira."),
        "tr": ("Haftanın haberleri", "Bu hafta neler oldu, her cuma."),
        "uk": ("Новини тижня", "Що сталося цього тижня, щоп’ятниці."),
    },
    "product-news": {
        "de": ("Produktneuheiten", "Was wir Neues gebaut haben, etwa einmal im Monat."),
        "ar": ("أخبار المنتجات", "كل جديد نصنعه، مرة في الشهر تقريبًا."),
        "es": ("Novedades de productos", "Lo nuevo que hemos creado, más o menos una vez al mes."),
        "fr": (
            "Nouveautés produits",
            "Ce que nous avons créé de nouveau, environ une fois par mois.",
        ),
        "it": ("Novità sui prodotti", "Le novità che abbiamo creato, circa una volta al mese."),
        "ja": ("新製品のお知らせ", "新しく作ったものを、月に1回ほどお届けします。"),
        "nl": ("Productnieuws", "Wat we nieuw hebben gemaakt, ongeveer eens per maand."),
        "pl": (
            "Nowości produktowe",
            "Nowe rzeczy, które stworzyliśmy, mniej więcej raz w miesiącu.",
        ),
        "pt-BR": ("Novidades de produtos", "O que criamos de novo, cerca de uma vez por mês."),
        "tr": ("Ürün haberleri", "Yaptığımız yenilikler, yaklaşık ayda bir."),
        "uk": ("Новинки", "Нове, що ми створили, приблизно раз на місяць."),
    },
    "offers": {
        "de": ("Hafenangebote", "Angebote der Läden rund um den Hafen, wann immer es welche gibt."),
        "ar": ("عروض الميناء", "عروض من المتاجر القريبة من الميناء، كلما توفّرت."),
        "es": ("Ofertas del puerto", "Ofertas de las tiendas del puerto, cuando las hay."),
        "fr": ("Les offres du port", "Les offres des boutiques du port, quand il y en a."),
        "it": ("Offerte del porto", "Offerte dei negozi intorno al porto, quando ci sono."),
        "ja": ("港のお買い得情報", "港の周りのお店のお買い得情報を、随時お届けします。"),
        "nl": ("Havenaanbiedingen", "Aanbiedingen van de winkels rond de haven, als ze er zijn."),
        "pl": ("Oferty z portu", "Oferty sklepów wokół portu, gdy tylko się pojawią."),
        "pt-BR": ("Ofertas do porto", "Ofertas das lojas perto do porto, sempre que houver."),
        "tr": ("Liman fırsatları", "Liman çevresindeki dükkânlardan fırsatlar, oldukça."),
        "uk": ("Пропозиції гавані", "Пропозиції крамниць біля гавані, щойно вони з’являються."),
    },
}
_PEOPLE = 750
_FIRST = """
adam aisha alma amir anna anton bela ben bruno carla chen cleo dana david dina elena elif emil emma
erik eva farah felix finn flora freya goran greta hana hugo ida ines ivan jana jonas julia karim kim
lara lena leo lina luis luka maja marta max mei mila mona nadia nils nina noah noor olga omar otto
paula petra rami rosa salma samir sara sofia tariq theo tim tomas uma vera viktor yara yusuf zoe
"""
_LAST = """
abbas adler aydin bauer berg brook costa dahl diaz ebert egger fischer frank garcia greco haddad
hansen hill holm ito jansen kaya keller khan klein kovac krause lang larsen lopez maier marin meyer
moreau nasser novak okafor olsen park petrov quinn ramos reed rossi saleh santos sato schulz silva
singh stone svensson tanaka toth vogel walker weber winter wolf yilmaz zeman
"""
_HOSTS = ("example.org", "example.net", "example.com", "post.example", "mail.example")


def settings_in(folder: Path, port: int) -> Settings:
    """Return the settings of a demo in `folder`. Keys are created once and kept in a file there."""
    keys = _keys(folder / "keys.json")
    return Settings(
        public_url=f"http://localhost:{port}",
        link_keys=(keys["link"],),
        identity_key=keys["identity"],
        database_url=f"sqlite:///{folder / 'preferences.db'}",
        server_keys=(keys["server"],),
        secret_key=keys["console"],
        smtp_url="smtp://emails-go-to-a-folder",
        mail_from="preferences@northwind.example",
        brand_name="Northwind Letters",
        postal_address="1 Example Street, 1000 Exampletown",
        contact="help@northwind.example",
        confirmation_delay=timedelta(seconds=5),
        spool_dir=spool_folder(folder),
        webhook_private_networks=LOOPBACK,
    )


def spool_folder(folder: Path) -> Path:
    """Return the folder of unsubscribes that wait for the database, and make it if necessary."""
    spool = folder / "spool"
    spool.mkdir(exist_ok=True)
    return spool


def write_environment(settings: Settings, path: Path) -> None:
    """Write a shell script (`. env.sh`) that makes commands use the demo's database."""
    values = {
        "DATABASE_URL": settings.database_url,
        "PUBLIC_URL": settings.public_url,
        "LINK_KEYS": ",".join(settings.link_keys),
        "SERVER_KEYS": ",".join(settings.server_keys),
        "IDENTITY_KEY": settings.identity_key,
        "SECRET_KEY": settings.secret_key,
        "BRAND_NAME": settings.brand_name,
        "SPOOL_DIR": str(settings.spool_dir),
        "WEBHOOK_PRIVATE_NETWORKS": ",".join(map(str, settings.webhook_private_networks)),
    }
    lines = (f"export {PREFIX}{name}={shlex.quote(value)}\n" for name, value in values.items())
    with text_file(path) as file:
        file.writelines(lines)


@cache
def people() -> tuple[str, ...]:
    """Return the readers' addresses, the same at every start. The first is `READER`."""
    # A fixed seed: the list must be believable, not secret.
    chance = random.Random(2026)  # noqa: S311
    firsts, lasts = _FIRST.split(), _LAST.split()
    found = {READER: None}
    while len(found) < _PEOPLE:
        first, last = chance.choice(firsts), chance.choice(lasts)
        name = chance.choice((f"{first}.{last}", f"{first[0]}.{last}", f"{first}{last[0]}", first))
        number = chance.choice(("", "", str(chance.randrange(2, 99))))
        found[f"{name}{number}@{chance.choice(_HOSTS)}"] = None
    return tuple(found)


def add_topics(session: Session, now: datetime) -> None:
    """Add the missing topics. Add cadence and translations to topics from an older version."""
    known = {topic.slug: topic for topic in topics.list_topics(session)}
    for new in TOPICS:
        topic = known.get(new.slug) or topics.add(session, new, now)
        texts = _TEXTS[new.slug]
        if set(topic.texts) >= set(texts):
            continue
        topic.cadence = new.cadence
        for locale, text in texts.items():
            topics.describe(topic, locale, *text)


def _keys(path: Path) -> dict[str, str]:
    if not path.exists():
        names = ("link", "server", "identity", "console")
        with text_file(path) as file:  # A demo that is killed here leaves no file without keys.
            json.dump({name: secrets.token_urlsafe(32) for name in names}, file)
    keys: dict[str, str] = json.loads(path.read_text())
    return keys
