"""Phrases that mail servers write when they refuse a message. Comments name the systems.

The patterns are matched against lower-case text with "@" in place of each address, and without
URLs and host names. `bounce_policy` says what each table means.
"""

import re

_NAME = r"(?: [^ ]{1,80})?"
_NO_SUCH_MAILBOX = (
    r"user (?:is )?unknown|unknown (?:local )?user",  # sendmail, Postfix, Exim, T-Online
    r"unknown or illegal (?:user|alias)",  # iPlanet, Oracle, Apple
    r"unknown local[- ]part",  # Exim 3
    r"user not known",  # Mercury, Dado
    r"(?:recipient|mailbox|addressee)(?: name)? (?:is )?unknown",  # Sonic, Communigate
    r"unknown (?:recipient|mailbox|addressee|e-?mail address)",  # Exchange 5.5, Courier
    r"no such (?:user|recipient|mailbox|person|account|local user)",  # qmail, Gmail, Barracuda
    r"no (?:mail-?box|account) (?:here )?by that name",  # qmail, vpopmail, Everyone.net
    r"mail-? ?box not found|no mailbox found",  # AOL, QQ
    r"no mail ?box available for this user",  # MailEnable
    rf"(?:user|recipient|mailbox|account|address|rcpt){_NAME} (?:does not|doesn't|not) exist",
    rf"(?:user|recipient|mailbox|account){_NAME} (?:was |could )?not (?:be )?found",  # 163, mail.ru
    r"(?:the|e-?mail) address (?:couldn't|could not|can't) be found",  # Google
    r"(?:recipient|addressee)s? not found",  # Exchange
    r"not a (?:known|valid) (?:user|mailbox|recipient)",  # custom texts in Exim and Postfix
    r"not an active address",  # FreeUK
    r"no valid recipients for this mm",  # Verizon
    r"doesn't have an? [^ ]{1,80} account",  # Yahoo
    r"not listed in (?:the )?(?:domino directory|public name)",  # Lotus Domino and Notes
    r"recipient name is not recogni[sz]ed",  # Exchange 5.5
    r"e-?mail account does not exist",  # Exchange 2000 and 2003
    r"account that you tried to reach does not exist",  # Gmail
    r"invalid (?:recipient|mailbox\b|final delivery userid)",  # Mimecast, mail.ru, IMail
    r"address is wrong or no longer valid|recipient no longer on server",  # IFOM, Apple
    # German: T-Online, GMX, Exchange
    r"(?:empf(?:ä|ae)nger|benutzer) unbekannt|unbekannter (?:empf(?:ä|ae)nger|benutzer)",
    r"(?:empf(?:ä|ae)nger(?:adresse)?|benutzer|adresse) existiert nicht",
    # French: Orange, Free, Exchange
    r"(?:utilisateur|destinataire|adresse) inconnue?|(?:utilisateur|destinataire) inexistant",
    r"l'adresse .{0,60}n'existe pas",
    # Spanish, Italian, Portuguese: Terra, Telefónica, Libero, Tiscali, UOL, Locaweb
    r"(?:usuario|destinatario|usuário|destinatário) (?:desconocido|desconhecido|inexistente)",
    r"no existe (?:el|ese|dicho) (?:usuario|buz[oó]n|destinatario)",
    r"(?:utente|destinatario) (?:sconosciuto|inesistente)|(?:utente|casella) non trovat[oa]",
    r"(?:caixa postal|conta) inexistente",
    # Dutch, Polish, Czech, Swedish, Turkish
    r"onbekende (?:gebruiker|ontvanger)|(?:gebruiker|ontvanger) (?:is )?onbekend",
    r"nie ma takiego (?:u[zż]ytkownika|konta)|odbiorca .{0,40}nie istnieje|nieznany odbiorca",
    r"nezn[aá]m[yý] (?:u[zž]ivatel|p[rř][ií]jemce)|ok[aä]nd (?:mottagare|anv[aä]ndare)",
    r"kullan[iı]c[iı] bulunamad[iı]",
    # Russian: Mail.Ru, Yandex, Rambler
    r"пользователь не (?:найден|существует)|(?:неизвестный|нет такого|такого) пользовател",
    r"(?:почтовый )?ящик .{0,40}не (?:найден|существует)",
    # Japanese, Chinese, Korean
    r"宛先.{0,10}(?:見つかりません|存在しません)|ユーザーが(?:見つかりません|存在しません)",
    r"(?:用户|用戶|收件人|邮箱|郵箱)(?:帐号|地址)?(?:不存在|未找到)|(?:无此|無此|没有该)(?:用户|用戶)",
    r"(?:수신자|사용자).{0,10}(?:존재하지 않|없습니다)",
)
_DISABLED = (
    r"account has been (?:disabled|deactivated|discontinued|closed|deleted|terminated)",  # Yahoo
    r"(?:mailbox|account) is (?:disabled|deactivated|inactive)",  # Yahoo, Zoho, QQ
    r"casilla ha expirado",  # Ciudad
    r"deactivated mailbox|inactive (?:mailbox|account|user)",  # mail2world, Rackspace
    r"account that you tried to reach is (?:disabled|inactive)",  # Gmail
)
# In neither table: "mailbox unavailable" (RFC 5321 writes it for a busy mailbox, a policy and a
# missing mailbox alike), "recipient rejected", "access denied", "unrouteable address".

# The mailbox may exist, but refuses for now.
_FULL = (
    r"quota|\bfull\b|insufficient|disk space|storage|\bhops?\b|\bloop|system load",
    r"mail-? ?box (?:size|exceeds|has exceeded|space)|too many messages (?:on|in)\b",
    r"\bvoll\b|zuviele mails auf",
    r"pleine?\b|\bllen[ao]\b|\bpiena\b|\bchei[ao]\b",  # German and Romance
    r"переполнен|квот|已满|容量|一杯",  # Russian, Chinese, Japanese
)
# The refusal is about the sender or the message.
_SENDER_OR_MESSAGE = (
    r"spam|junk|unsolicited|\bbulk\b|\bube\b|phish|virus|malware|infected|suspicious|abus[ei]",
    r"\bblock|black-?list|deny-?list|\bdnsbl\b|\brbl\b|barracuda|reputation|polic(?:y|ies)",
    r"content|dmarc|dkim|\bspf\b|sender policy|authenticat|authori[sz]ed",
    r"preference|not accepting (?:mail|messages) (?:from|with)",  # Facebook, AOL: one sender's
    r"will not accept delivery|\((?:hvu|rly|dyn|con|snd|rtr):",  # AOL, with 5.2.1
    r"batv|backscatter|null sender|\bsender\b|mail from|(?:return|reverse)[- ]path|call-?out",
    r"reverse dns|\brdns\b|dynamic ip|envelope from",
    r"(?:white|allow|safe)-?list|\b(?:sur|uri|d)bl\b|quarantin|opted[- ]out|does not want",
    r"scam|fraud|impersonat|spoof|forge[dr]|forbidden|undesir|unwanted|\bcountry\b|newsletter",
    r"marketing|advertis(?:ing|ement)|mailing lists?\b|\byour (?:ip|host|server|network|domain)\b",
    r"verif(?:y|ication) fail|\bhelo\b|\bptr\b",  # cPanel: "no such user" about the sender
    r"too (?:much|many|large|big|quickly|fast)|(?:message|line) too long|\bsize\b|\brate\b",
    r"throttl",
    r"zu ?viele|спам|垃圾|スパム",  # German, Russian, Chinese, Japanese
)
# The refusal may be temporary, or about the domain, or unspecific.
_TEMPORARY = (
    r"not allowed|denied|prohibited|restricted|rcpthosts|relay(?:ing)? (?:not|is not)",
    r"permi(?:ssion|tted)|exceed|\blimit|couldn't create|procmail",
    r"gr[ea]y-?list|temporar|try (?:again )?later|\blater\b|delayed|postponed|retr(?:y|ied|ies)\b",
    r"time-?d?[ -]?out|\bconnection\b|connect to|unreachable|not respond|\bbusy\b|maintenance",
    r"\bldap\b|look-?up (?:recipient|address|fail|err|did not)|verification could not",
    r"(?:internal|system|server|database|configuration|dns|i/o) error|configuration problem",
    r"no space|read-only|\bcapacity\b|allotted|reached (?:its |the )?max|domain expired",
    r"(?:unable to|cannot|could not) (?:relay|open|write|create|process|look)|relaying disabled",
    r"(?<!disabled, )not accepting (?:any|new|e-?mail|messages)|shutting down|at this time",
    r"on hold|paused|no route\b|payment|encryption (?:is )?required|\btls\b",
    r"(?:no such|unknown|invalid|bad|non-?existent) (?:mail |recipient )?(?:domain|host)",
    r"(?:domain|host)(?: name)?(?: [^ .]{0,80}\.[^ ]{1,80})? (?:not found|unknown|invalid)",
    r"domain(?: name)?(?: [^ .]{0,80}\.[^ ]{1,80})? (?:does(?: not|n't) exist|couldn't be found)",
    r"name ?server|name service|name or service",
    r"suspend|\blocked\b|frozen|archived|vacation|out of (?:the )?office",
    r"überf|ueberf|abgelehnt|拒绝|拒否",  # German, Chinese, Japanese
)

# The refusal gives no specific reason. It outweighs a status code, but not text about a missing
# mailbox: mail servers write such lines below it.
_REFUSED = (
    r"(?:message|mail|delivery|transaction) (?:was |is |has been )?(?:rejected|refused|discarded)",
    r"transaction failed|\b(?:service|server|backend|resources?) (?:is )?unavailable|refuses",
    r"rejected by|\bfilter|attachment|\bheader|\bbad message",
)

MAILBOX_MISSING = re.compile("|".join(_NO_SUCH_MAILBOX))
NULL_MX = re.compile(r"\bnull ?mx\b")  # RFC 7505; Postfix, with 5.1.0
MAILBOX_DISABLED = re.compile("|".join(_DISABLED))
MAILBOX_FULL = re.compile("|".join(_FULL))
SENDER_OR_MESSAGE = re.compile("|".join(_SENDER_OR_MESSAGE))
TEMPORARY = re.compile("|".join(_TEMPORARY))
REFUSED = re.compile("|".join(_REFUSED))
# A code and text that usually, but not always, mean a missing mailbox: see `bounce_policy`.
USUALLY_MISSING = {
    "5.1.0": re.compile(r"address rejected"),  # IronPort; its list of recipients may be stale
    "5.4.1": re.compile(r"recipient address rejected: access denied"),  # Microsoft 365
    "5.5.0": re.compile(r"(?:requested action not taken: )?mailbox unavailable"),  # Outlook.com
    "": re.compile(r"\b542 @ rejected"),  # MessageLabs
}
