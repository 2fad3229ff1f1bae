"""What a failure means: is it a permanent failure of an address? If in doubt, it is not.

A permanent one ends the mails to somebody; every other one is counted. The codes decide (RFC 3463).
Words decide only where there is no code, or one that says nothing; and words that tell of anything
but a missing mailbox outweigh a code, since a mail server that was refused for another reason often
writes 5.1.1 all the same (sendmail does so for every 550 after RCPT).
"""

import re
from dataclasses import dataclass

from preference_center.mail.mime import addresses

PERMANENT = {
    "5.1.1": "there is no such mailbox",
    "5.1.3": "the address is no address",
    "5.1.6": "the mailbox has moved, and nobody says where to",
    "5.1.10": "the domain takes no mail (RFC 7505)",
    "5.2.1": "the mailbox is switched off",
}
LONGEST_REASON = 2000  # characters that are searched for words
_UNDEFINED = re.compile(r"5\.[0123]\.0")  # "other or undefined": what a relay writes without a code
_CODE = re.compile(r"(?:^|(?<=[\s(#:;'\"<-]))([45]\.\d{1,3}\.\d{1,3})(?=[\s):;,'\">-]|\.?$|\.\s)")
_HOST = re.compile(r"\bhost [^ .]{0,80}\.[^ ]+(?: \[[^\]]*\])?")  # may be "spam-filter.example.net"
_TEMPORARY_REPLY = re.compile(r"(?:^|(?<=[\s:;'\"(]))4[0-5]\d(?=[ -])")

# Words that say that there is no such mailbox, by the mail systems that write them. They are
# searched in lower case, with "@" for every address.
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
    r"not a (?:known|valid) (?:user|mailbox|recipient)",  # Exim's and Postfix's own texts of many
    r"not an active address",  # FreeUK
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
_SWITCHED_OFF = (
    r"account has been (?:disabled|deactivated|discontinued|closed|deleted|terminated)",  # Yahoo
    r"(?:mailbox|account) is (?:disabled|deactivated|inactive)",  # Yahoo, Zoho, QQ
    r"deactivated mailbox|inactive (?:mailbox|account|user)",  # mail2world, Rackspace
    r"account that you tried to reach is (?:disabled|inactive)",  # Gmail
)
# Not in either: "mailbox unavailable" (RFC 5321 writes it for a busy one, a policy and a missing
# one alike), "recipient rejected", "access denied", "unrouteable address", "bad recipient".

# Words that tell of something else, or of something that passes.
_SOMETHING_ELSE = (
    r"spam|junk|unsolicited|\bbulk\b|\bube\b|phish|virus|malware|infected|suspicious|abus[ei]",
    r"\bblock|black-?list|deny-?list|\bdnsbl\b|\brbl\b|barracuda|reputation|polic(?:y|ies)",
    r"content|dmarc|dkim|\bspf\b|sender policy|authenticat|authori[sz]ed|permi(?:ssion|tted)",
    r"not allowed|denied|prohibited|restricted|rcpthosts|relay(?:ing)? (?:not|is not)",
    r"preference|not accepting (?:mail|messages) (?:from|with)",  # Facebook, AOL: one sender's
    r"will not accept delivery|\((?:hvu|rly|dyn|con|snd|rtr):",  # AOL, with 5.2.1
    r"batv|backscatter|null sender|\bsender\b|mail from|return[- ]path|call-?out",
    r"verif(?:y|ication) fail|\bhelo\b|\bptr\b",  # cPanel: "no such user" about the sender
    r"gr[ea]y-?list|temporar|try (?:again )?later|\blater\b|delayed|postponed|retr(?:y|ied|ies)\b",
    r"quota|\bfull\b|too (?:much|many|large|big|long|quickly|fast)|insufficient|exceed|\bsize\b",
    r"disk space|storage|\blimit|\brate\b|throttl",
    r"time-?d?[ -]?out|\bconnection\b|connect to|unreachable|not respond|\bhops?\b|\bloop",
    r"(?:no such|unknown|invalid|bad|non-?existent) (?:mail |recipient )?(?:domain|host)",
    r"(?:domain|host)(?: name)?(?: [^ .]{0,80}\.[^ ]{1,80})? (?:not found|unknown|invalid)",
    r"domain(?: name)?(?: [^ .]{0,80}\.[^ ]{1,80})? does(?: not|n't) exist",
    r"name ?server|name service|name or service",
    r"suspend|\blocked\b|frozen|archived|vacation|out of (?:the )?office",
    # The same in German, French, Spanish, Italian, Portuguese, Russian, Chinese, Japanese
    r"\bvoll\b|zu ?viele|überf|ueberf|abgelehnt|pleine?\b|\bllen[ao]\b|\bpiena\b|\bchei[ao]\b",
    r"переполнен|квот|спам|已满|容量|垃圾|拒绝|スパム|拒否|一杯",
)
_MAILBOX = re.compile("|".join(_NO_SUCH_MAILBOX))
_OFF = re.compile("|".join(_SWITCHED_OFF))
_ELSE = re.compile("|".join(_SOMETHING_ELSE))


@dataclass(frozen=True)
class Verdict:
    """Whether an address has failed for good, and the enhanced status code that says so, or ""."""

    permanent: bool
    code: str


def judge(status: str, reason: str) -> Verdict:
    """Return what a status code (or "") and a mail server's words for it mean together."""
    words = _plain(reason)
    # 5.5.1 is what a server says to the commands that come after a refusal.
    codes = [code for code in (status, *_CODE.findall(words)) if code and code != "5.5.1"]
    telling = [code for code in codes if not _UNDEFINED.fullmatch(code)]
    against = next((code for code in telling if code not in PERMANENT), None)
    if against is not None:
        return Verdict(permanent=False, code=against)
    if _ELSE.search(words) or _TEMPORARY_REPLY.search(words):
        return Verdict(permanent=False, code=next(iter(codes), ""))
    deduced = "5.1.1" if _MAILBOX.search(words) else "5.2.1" if _OFF.search(words) else ""
    code = next(iter(telling), deduced)
    return Verdict(permanent=bool(code), code=code or next(iter(codes), ""))


def _plain(reason: str) -> str:
    """Return a reason in lower case, on one line, without addresses and the names of hosts."""
    text = " ".join(reason[:LONGEST_REASON].split())
    for address in set(addresses(text)):
        text = text.replace(address, "@")
    return _HOST.sub("host", text).lower().replace("’", "'")
