"""The columns that an import reads, and those that it must not ignore silently."""

import pytest

from preference_center.data.import_columns import (
    PREFERENCES,
    SUPPRESSIONS,
    is_suspect_part,
    match,
)
from preference_center.data.import_words import (
    ABOUT_EITHER,
    EMAIL_NAMES,
    ENDING_WORDS,
    OPTED_OUT,
    OTHER_EMAIL_NAMES,
    TIMES,
)
from preference_center.data.tabular import FileRefusedError, fold

ABOUT_OPTING_OUT = [
    *("unsub_time", "UNSUB_REASON", "unsubscribed_at", "unsubscribeAll", "Portal Unsubscribe"),
    *("Unsubscribed from all email", "Opt out", "opted-out", "Opted out of email: News"),
    *("hs_email_optout_12", "blacklisted", "_BLOCKLISTED", "EMAIL_BLACKLISTED", "blocked"),
    *("email_disabled", "Emails disabled?", "disabled", "deleted_at", "inactive", "removed"),
    *("cleaned", "CLEAN_TIME", "CLEAN_CAMPAIGN_ID", "bounced", "Global Bounce", "bouncecount"),
    *("Marketing emails bounced", "Email hard bounce reason", "invalid_email", "undeliverable"),
    *("suppressed", "Email Suppressions", "spam_complaint", "Portal Spam Report", "complained"),
    *("do not email", "doNotEmail", "Do-Not-Contact", "DNC", "no_email", "don't email"),
    *("consent", "Email Marketing Consent", "Accepts Email Marketing", "accepts_marketing"),
    *("subscribed", "_SUBSCRIBED", "subscribed_to_emails", "active_subscription", "newsletter"),
    *("OPT_IN", "DOUBLE_OPT-IN", "optedin", "confirmed", "is_active", "enabled", "receive emails"),
    *("List status", "Global status", "subscription_status", "Marketing contact status"),
    *("topicPreferences.Sports", "_cio_subscription_preferences_computed", "verdict", "status (2)"),
    *("Abgemeldet", "Newsletter-Einwilligung", "Désinscrit", "Gesperrt", "Werbung erlaubt"),
    *("Kein Newsletter", "Nicht kontaktieren", "Zugestimmt", "Bestätigt", "Bestaetigt"),
    *("Kontakt ja/nein", "Mailing (oui/non)", "Freigabe", "Ungültig", "Rückläufer", "Gelöscht"),
    *("Accepte les e-mails", "Souhaite recevoir", "Autorisation", "Bloqué", "Supprimé le", "NPAI"),
    *("Ne pas contacter", "RGPD", "Exclu", "Acepta correos", "Rechazado", "Accetta", "Cancellato"),
    *("Toestemming", "Niet mailen", "Nieuwsbrief", "Uitgeschreven op", "Actief", "Withdrawn"),
    *("Abgemeldet", "Newsletter-Einwilligung", "Désinscrit", "Gesperrt", "Inaktiv seit"),
    *("Inactif depuis", "Statut", "Estado", "Stato", "Deactivation", "Deaktiviert", "Désactivé"),
    *("Cancelled", "Gekündigt", "Kündigungsdatum", "Austrittsdatum", "Ausgetragen am", "Sperre"),
    *("Sperrliste", "Keine Werbung", "Robinsonliste", "Gelöscht", "Unzustellbar", "Beschwerde"),
    *("Opposition", "Refus", "Résilié le", "Liste noire", "Fecha de baja", "Suspended"),
    *("Undelivered", "Objection", "Churned", "Zustimmung", "Abonné", "Angemeldet", "Inscrit"),
    *(
        "isactive",
        "isenabled",
        "emailenabled",
        "emailsubscribe",
        "dncemail",
        "canemail",
        "recordactive",
    ),
    *("oktoemail", "Quarantined", "email_valid", "Email bad", "Mailings", "E-Mail senden"),
    *("Send emails", "Sperrvermerk", "Deregistered", "Left list on", "Signed off", "Email OK"),
    *("Email contact", "Contact by email", "notifications", "promo_emails", "E-Mail gültig"),
    *("Envoi d'emails", "Contacter par e-mail", "Enviar correo", "Email valido", "Invia e-mail"),
    *("E-mails versturen", "Kontakt per E-Mail", "Benachrichtigungen", "Notificaciones"),
    *("activeSubscriber", "stopFlag", "isDNC", "DNCReason", "emailStopSet", "doiOk", "cleanedOn"),
    *("Iscritto", "Suscrito", "Mailable", "Contactable", "Activated", "Aktiv", "Actif"),
]
ABOUT_OTHER_THINGS = [
    *("name", "First Name", "Company", "ZIP Code", "Country", "State", "Phone", "shoe size"),
    *("MEMBER_RATING", "OPTIN_TIME", "OPTIN_IP", "CONFIRM_TIME", "LAST_CHANGED", "LEID", "EUID"),
    *("NOTES", "TAGS", "labels", "tiers", "created_at", "created", "Date Subscribed"),
    *("Subscribed at", "Customer ID", "Klaviyo ID", "stripe_customer_id", "expiry", "plan"),
    *("Source", "reason", "ip", "Last Open", "abandoned cart", "Title", "column 3", ""),
    *("Vorname", "Nachname", "Anrede", "PLZ", "Ort", "Straße", "Kundennummer", "Angemeldet am"),
    *("Prénom", "Nom", "Code postal", "Ville", "Société", "Numéro", "Pays", "Téléphone", "Nombre"),
    *("Mailing City", "Mailing Address", "Contact ID", "Kontakt", "Promo code", "City", "note"),
    *("Valid until", "interactive", "Places left", "Sender email", "Signed up", "registered"),
    *(
        "Subscriber name",
        "Activity",
        "Attractive",
        "Cancun",
        "Okinawa",
        "Email domain",
        "email id 2",
    ),
    *("consentTimestamp", "optInDate", "consentIP", "stopover", "Nonna", "activity", "confirmedAt"),
    *("Apellidos", "Ciudad", "Cognome", "Città", "Voornaam", "Woonplaats", "Order No.", "Address"),
]


@pytest.mark.parametrize("name", ABOUT_OPTING_OUT)
def test_a_column_that_may_record_opt_outs_is_suspect(name: str) -> None:
    assert match(("email", "status", name)).suspects == (name.lower(),)
    assert match(("email", "status", name), frozenset({name.lower()})).suspects == ()


@pytest.mark.parametrize("name", ABOUT_OTHER_THINGS)
def test_any_other_column_is_unread_but_not_suspect(name: str) -> None:
    columns = match(("email", "status", name))
    assert (columns.unread, columns.suspects) == ((name.lower(),), ())


@pytest.mark.parametrize("names", [PREFERENCES, SUPPRESSIONS])
def test_our_own_columns_are_read(names: tuple[str, ...]) -> None:
    columns = match(names)
    assert columns.read == {name: name for name in names}
    assert columns.unread == ()


@pytest.mark.parametrize(
    "name",
    [
        *("E-mail", "Email Address", "EMAIL_ADDRESS", "e-mail-address", "emailAddress", "Email ID"),
        *("E-Mail-Adresse", "Deine E-Mail Adresse", "Adresse e-mail", "Adresse mail", "Courriel"),
        *("Adresse de courriel", "Correo electrónico", "Dirección de correo electrónico"),
        *("Indirizzo e-mail", "Posta elettronica", "E-mailadres", "Endereço de e-mail", "E-post"),
        *("address", "Adresse", "Mail", "recipient", "Primary Email", "Subscriber"),
    ],
)
def test_the_email_column_has_many_names(name: str) -> None:
    assert match((name, "Opt-in time")).read == {"email": name.lower()}


@pytest.mark.parametrize("name", ["address", "Adresse", "Mail", "recipient", "Contact email"])
def test_an_ambiguous_name_is_the_email_only_without_a_better_one(name: str) -> None:
    assert match((name, "E-Mail-Adresse", "status")).read["email"] == "e-mail-adresse"
    assert match((name, "E-Mail-Adresse", "status")).unread == (name.lower(),)
    with pytest.raises(FileRefusedError, match="could both be email"):
        match((name, "direccion", "status"))


def test_each_word_is_listed_in_its_folded_form() -> None:
    for words in (EMAIL_NAMES, OTHER_EMAIL_NAMES, ENDING_WORDS, OPTED_OUT, ABOUT_EITHER, TIMES):
        assert [word for word in words if word != fold(word)] == []


def test_two_columns_with_one_meaning_are_refused_unless_one_is_ignored() -> None:
    names = ("email", "e-mail", "status")
    with pytest.raises(FileRefusedError, match="'email' and 'e-mail' could both be email"):
        match(names)
    assert match(names, frozenset({"e-mail"})).read["email"] == "email"


def test_only_an_import_suggests_ignore_column() -> None:
    for ignored, named in ((None, False), (frozenset(), True)):
        with pytest.raises(FileRefusedError) as refusal:
            match(("email", "e-mail"), ignored)
        assert ("--ignore-column" in str(refusal.value)) is named


def test_suppression_columns_are_read_only_in_a_suppression_file() -> None:
    assert match(("email", "status", "source", "since")).unread == ("source", "since")
    assert match(("email", "kind", "source", "since")).unread == ()


OPTED_OUT_CELLS = [
    *("Unsubscribed", "opt-out", "Inactive", "unconfirmed", "Unactivated", "removed", "deleted"),
    *("no mail", "Désabonné", "Abgemeldet", "disiscritto", "Dado de baja"),
    *("N/A - Unsubscribed by admin", "N/A (unsubscribed by an admin)"),
    *("vip, unsubscribed", "vip;opt-out", "bounced | vip"),
    "customer, vip, import 2023, trade fair, unsubscribed",
    *("Unsubscribed from all", "unsubscribed (2024)", "Unsubscribed - admin", "not subscribed"),
    *("nonsubscribed", "soft bounce", "pending", "unsubscribed by user", "UNSUBSCRIBED_BY_USER"),
    *('{"unsubscribed": true}', '[{"vip": 1, "emailOptOut" : false}]', "vip\nunsubscribed"),
]


@pytest.mark.parametrize(
    ("cell", "is_opt_out"),
    [
        *((cell, True) for cell in ("Unsubscribed", "opt-out", "VIP; Abgemeldet", "désabonnée")),
        *((cell, True) for cell in ("Keine Werbung!", "GELÖSCHT", "ne pas contacter", "baja")),
        *((cell, False) for cell in ("Ada", "", "no", "nein", "oui")),
        *((cell, True) for cell in OPTED_OUT_CELLS),
        ("vip, reader", False),
        *((cell, False) for cell in ("Unsubscribed: no", "Complaint about a parcel, solved")),
        *((cell, False) for cell in ('{"city": "Bonn"}', "https://x.org/a?b=c", "2024/01/02")),
    ],
)
def test_a_cell_can_record_an_opt_out(cell: str, is_opt_out: bool) -> None:
    columns = match(("email", "type"))
    found = columns.opted_out({"email": "ada@example.org", "type": cell})
    assert found == ("type" if is_opt_out else None)


@pytest.mark.parametrize(
    "name",
    [
        *("Bounces", "unsubscribed_email_1.csv", "a/left 2024.csv", "Opted out/1.csv", "Stop"),
        *("Abmeldungen", "cleaned.csv", "do_not_contact.v2.csv", "Désinscrits", "x\\bajas.txt"),
    ],
)
def test_the_name_of_a_part_can_be_about_opting_out(name: str) -> None:
    assert is_suspect_part(name)


@pytest.mark.parametrize(
    "name",
    [
        *("Sheet1", "Kunden", "people.csv", "Newsletter.csv", "status.csv", "subscribers.csv"),
        *("subscribed_email_1.csv", "posts/1.html", "Contacts 2024.xlsx", "left_handed.csv"),
    ],
)
def test_other_names_of_parts_are_not_about_opting_out(name: str) -> None:
    assert not is_suspect_part(name)
