"""The column names and words of other systems' files for email addresses and for opting out.

English, German, French, Spanish, Italian, Dutch and Portuguese. Each is written as `tabular.fold`
returns it: lower-case letters and digits, without accents, spaces and punctuation.
"""

import re
from collections.abc import Mapping

from preference_center.core.vocab import ImportStatus

EMAIL_NAMES = frozenset(
    {
        *("email", "emailaddress", "emailaddresses", "emailaddr", "emailid", "mailaddress"),
        *("emailadresse", "mailadresse", "deineemailadresse", "ihreemailadresse", "emailanschrift"),
        *("adresseemail", "adressemail", "adressemel", "adresseelectronique", "courriel"),
        *("adressecourriel", "adressedecourriel", "courrielelectronique", "votreemail"),
        *("correo", "correoelectronico", "direcciondecorreo", "direcciondecorreoelectronico"),
        *("direccionemail", "direcciondeemail", "direccionelectronica"),
        *("indirizzoemail", "indirizzodiemail", "indirizzomail", "postaelettronica"),
        *("indirizzodipostaelettronica", "indirizzoelettronico"),
        *("emailadres", "mailadres", "emailadress"),
        *("enderecoemail", "enderecodeemail", "correioeletronico", "enderecoeletronico"),
        *("epost", "epostadress", "epostadresse", "adresemail"),
    }
)
# Names that have other meanings too. They are used only if no column has a name from above.
OTHER_EMAIL_NAMES = frozenset(
    {
        *("address", "adresse", "direccion", "indirizzo", "adres", "endereco", "mail", "mel"),
        *("recipient", "subscriber", "primaryemail", "contactemail", "customeremail", "useremail"),
        *("subscriberemail", "memberemail", "email1", "email1value", "primaryemailaddress"),
    }
)

# Words for a status that ends consent. Words with several meanings are left out.
ENDING_WORDS: Mapping[str, ImportStatus] = {
    **{each.value: each for each in ImportStatus if each.ends_consent},
    **dict.fromkeys(
        (
            *("unsubscribe", "unsub", "optout", "optedout", "optsout", "nolongersubscribed"),
            *(
                "donotcontact",
                "donotemail",
                "donotmail",
                "donotsend",
                "dontcontact",
                "dontemail",
                "dnc",
            ),
            *("abgemeldet", "abbestellt", "ausgetragen", "nichtkontaktieren", "nichtanschreiben"),
            *("desabonne", "desabonnee", "desinscrit", "desinscrite", "nepascontacter"),
            *("dadodebaja", "dadadebaja", "desuscrito", "desuscrita", "nocontactar"),
            *("disiscritto", "disiscritta", "noncontattare", "descadastrado", "naocontatar"),
            *("afgemeld", "uitgeschreven", "nietmailen", "nietcontacteren"),
        ),
        ImportStatus.UNSUBSCRIBED,
    ),
    **dict.fromkeys(("hardbounce", "hardbounced"), ImportStatus.BOUNCED),
    **dict.fromkeys(
        (
            *("complaint", "spamcomplaint", "spamreport", "markedasspam", "reportedasspam"),
            *("abusecomplaint", "abusereport"),
        ),
        ImportStatus.COMPLAINED,
    ),
}

# A row with one of these words in an unread column must not subscribe the person.
OPTED_OUT = frozenset(
    {
        *ENDING_WORDS,
        *("blocked", "blacklisted", "blocklisted", "suppressed", "bounce", "cleaned", "spam"),
        *("undeliverable", "unreachable", "cancelled", "canceled", "donotcontact", "donotemail"),
        *("usersuppressed", "invalidemail", "inactive", "unconfirmed", "unactivated", "removed"),
        *("deleted", "nomail", "noemail", "noemails", "neversubscribed", "rejected", "stop"),
        *("inaktiv", "gekundigt", "gekuendigt", "gesperrt", "geloscht", "geloescht", "widerrufen"),
        *("unzustellbar", "abgelehnt", "verweigert", "deaktiviert", "keinewerbung", "keinemail"),
        *("keineemail", "keinemails", "keineemails", "keinnewsletter", "nichtkontaktieren"),
        *("nichtangemeldet", "nichtabonniert", "nichtbestatigt", "nichtbestaetigt", "unbestatigt"),
        *("werbesperre", "mailsperre", "neindanke", "blockiert", "storniert", "rucklaufer"),
        *("inactif", "resilie", "resiliee", "refuse", "refusee", "bloque", "bloquee"),
        *("nonabonne", "nonabonnee", "noninscrit", "noninscrite", "noncontactable", "npai"),
        *("nepascontacter", "pasdemail", "pasdemails", "pasdenewsletter", "desactive", "supprime"),
        *("desactivee", "supprimee", "opposition", "oppose", "opposee", "nonmerci", "rejete"),
        *("nonconfirme", "nonconfirmee", "injoignable", "listenoire", "annule", "annulee"),
        *("baja", "cancelado", "cancelada", "inactivo", "inactiva", "bloqueado", "bloqueada"),
        *("nosuscrito", "nosuscrita", "rechazado", "rechazada", "nocontactar", "rebotado"),
        *("annullato", "annullata", "cancellato", "cancellata", "inattivo", "inattiva"),
        *("bloccato", "bloccata", "noniscritto", "noniscritta", "noncontattare", "rimbalzato"),
        *("inactief", "geblokkeerd", "opgezegd", "verwijderd", "nietmailen", "nietaangemeld"),
        *("inativo", "inativa", "removido", "removida", "naoinscrito"),
        *("notsubscribed", "nonsubscribed", "nonsubscriber", "notoptedin", "notconfirmed"),
        *("softbounce", "softbounced", "hardbounces", "softbounces", "pending", "ausstehend"),
        *("enattente", "pendiente", "inattesa", "inafwachting", "pendente"),
    }
)

# Parts of column names that are about opting out.
ABOUT_OPTING_OUT = re.compile(
    "unsub|opt(ed|ing)?out|blacklist|blocklist|denylist|blocked|banned|suppress|bounce|complain|spam"
    "|abuse|donot|dont|noe?mail|disabled|deleted|removed|excluded|invalid|deliverab|unreach|verdict"
    "|inactiv|deactiv|cancel|suspend|undeliver|objection|churn|revok|withdr|status|reject|mailstop"
    "|quarantin|deregist|unregist|signed?off|left(list|on$|at$|date)|listleft|^left$"
    "|e?mail(is)?(bad|wrong|dead|broken)|bade?mail"
    # German
    "|inaktiv|deaktiv|gek(u|ue)ndigt|k(u|ue)ndigung|austritt|austrag|ausgetrag|sperre|sperrlist"
    "|sperrvermerk|sperrkenn|quarantan|e?mail(ist)?falsch"
    "|gesperrt|werbung|robinson|gel(o|oe)scht|unzustell|beschwerde|abmeld|abgemeld|abbestell|widerr"
    "|ausgeschl|blockier|verweiger|abgelehn|ablehn|kein(e|en)?(e?mail|newsletter|post)"
    "|nicht(kontakt|anschreib|e?mail|erw(u|ue)nscht)|unerw(u|ue)nscht|stopp|entfernt|ung(u|ue)ltig"
    "|r(u|ue)ckl(a|ae)ufer|storn|zur(u|ue)ckgezogen"
    # French
    "|inactif|statut|desactiv|opposition|refus|resili|listenoire|desabonn|desinscr|bloqu|rejet"
    "|supprim|rebond|injoignable|plainte|npai|nepas|pasdee?mail|pasdecourriel|pasdenewsletter"
    # Spanish, Italian, Dutch, Portuguese
    "|estado|stato|baja|desuscri|rebot|eliminad|noenviar|nocontactar|queja|rechaz|disiscr|disattiv"
    "|inattiv|annullat|rimoss|rimbalz|noncontatt|bloccat|revoc|rifiut|afgemeld|afmeld|uitgeschr"
    "|uitschr|geblokk|verwijderd|opgezegd|nietmail|geweigerd|ongeldig|klacht|descadastr|removid"
    "|inativ"
)
# Those of them that do not say which status.
NAMES_OF_STATUS = frozenset({"status", "statut", "estado", "stato"})
# Parts of column names that are about consent, which may be "no", unless the column is a time.
ABOUT_CONSENT = re.compile(
    "subscribed|subscription|opt(ed)?in|consent|permission|marketing|newsletter|accept|preference"
    "|confirm|allow|receive|wants|emailable|mailable|contactable|activated|authori[sz]|agreed|gdpr"
    "|e?mail(is)?valid|valide?mail|e?mail(is)?ok(ay)?$|oke?mail|send(new|promo)?e?mail|sendnewsletter"
    "|^e?mailcontact$|^mailings?$|mailings$|contact(able)?(by|via)e?mail|notif(i|y)"
    "|promo(tion(al)?)?e?(mail|newsletter)"
    # Words that are run together: isActive, emailEnabled, DNCEmail, okToEmail.
    "|(?<!inter)(?<!attr)(?<!pro)(?<!radio)(?<!hyper)(?<!re)active$|enabled$|subscribe$|dnce?mail|e?maildnc"
    "|(^|is|do)(can|may|okto|oktobe)e?(mail|contact)(ed)?"
    # German
    "|e?mail(ist)?g(u|ue)ltig|e?mails?(ver)?senden|kontakt(per|via)e?mail|benachrichtig|werbee?mail"
    "|^(ist)?aktiv$|e?mail(ist)?aktiv|einwillig|eingewilligt|zustimm|zugestimmt|abonn|angemeldet|erlaub|freigab|freigegeben"
    "|best(a|ae)tigt|einverstand|genehmig|kontaktierbar|erreichbar|w(u|ue)nscht|rundbrief|infobrief"
    "|infopost|infomail|dsgvo"
    # French
    "|e?mail(est)?valide|envo(i|yer)(d|des|un)?(e?mail|courriel|lettre)|contact(er)?par(e?mail|courriel)"
    "|e?mails?promo|esta?ctif$|inscrit|autoris|souhait|recevoir|recoit|lettredinfo|infolettre|rgpd"
    # Spanish, Italian, Dutch, Portuguese
    "|enviar(e?mail|correo)|(email|correo)valid|contact(ar|o)?por(e?mail|correo)|inviae?mail"
    "|inviaree?mail|contattareviae?mail|e?mailgeldig|e?mails?(ver)?sturen|contactpere?mail|^esactivo$"
    "|meldingen|iscritt|iscrizion|suscri|acepta|acepto|permiso|autoriz|boletin|recibir|consens|accett"
    "|ricever|toestemming|akkoord|ingeschreven|aangemeld|nieuwsbrief|ontvang"
)
# Whole words of column names that are about either of these.
ABOUT_EITHER = frozenset(
    {
        *("stop", "stopped", "clean", "cleaned", "dnc", "active", "enabled", "subscribe"),
        *("aktiv", "passiv", "ja", "nein", "doi", "actif", "oui", "non", "exclu", "exclus"),
        *("exclue", "retire", "radie", "accord", "activo", "attivo", "actief", "nee", "ativo"),
    }
)
# Whole words that make a column a time or a similar detail of consent.
TIMES = frozenset(
    {
        *("at", "date", "ip", "on", "since", "time", "timestamp"),
        *("am", "datum", "zeit", "zeitpunkt", "seit", "uhrzeit"),
    }
)
