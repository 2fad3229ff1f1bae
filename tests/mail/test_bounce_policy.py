"""What a status code and a mail server's words mean: the table, word by word."""

import pytest

from preference_center.mail.bounce_policy import PERMANENT, Verdict, judge

PERMANENT_BY_WORDS = [
    "550 User unknown",
    "550 5.0.0 <ada@example.net>... User unknown",
    "550 {mx001-rz3} <ada@example.net>... User unknown",
    "550 unknown user <ada@example.net>",
    "550 unknown or illegal user: ada@example.net",
    "550 User [ada@example.net] does not exist",
    "550 Recipient does not exist on this system",
    "550-<ada@example.net> is not a known user on this system",
    "550 No such user here",
    "550 No such recipient",
    "550 MAILBOX NOT FOUND",
    "550 Mailbox not found. http://service.mail.example/no_1000742",
    "550 User not found: ada@example.net",
    "553 5.3.0 <ada@example.net>... Addressee unknown, relay=[192.0.2.10]",
    "550 Invalid Recipient - https://community.example.net/docs/DOC-1369#550",
    "host spam-filter.example.net[192.0.2.25] said: 550 user unknown",
    "554 delivery error: dd This user doesn’t have a yahoo.example account (a@b.example) [0]",
    "user ada (ada@example.net) not listed in Domino Directory",
    "The recipient name is not recognized",
    "The e-mail account does not exist at the organization this message was sent to.",
    "550 Empfänger unbekannt",
    "550 Utilisateur inconnu !",
    "550 L'adresse de messagerie référencée ci-dessus n'existe pas",
    "550 Usuario inexistente",
    "550 Utente sconosciuto",
    "550 Usuário desconhecido",
    "550 Onbekende gebruiker",
    "550 Nie ma takiego użytkownika",
    "550 пользователь не найден",
    "550 почтовый ящик ada@example.net не существует",
    "550 收件人不存在",
    "550 ユーザーが見つかりません",
    "Sorry your message cannot be delivered. This account has been disabled or discontinued.",
    "551 <ada@example.net> is a deactivated mailbox",
    "550 This mailbox is disabled (554.30)",
]
IN_DOUBT = [
    "",
    "550 failed",
    "550 Requested action not taken: mailbox unavailable",
    "550 <ada@example.net> recipient rejected",
    "550 Recipient address rejected: Access denied",
    "550 Unrouteable address",
    "550 BAD_RECIPIENT",
    "550 not our customer",
    "550 [SUSPEND] Mailbox currently suspended",
    "550 Mailbox is frozen",
    "450 User unknown in local recipient table",
    "550 user unknown, try again later",
    "550 user unknown: greylisted",
    "552 mailbox of unknown user is full",
    "550 No such domain at this location (ada@example.net)",
    "550 Unknown recipient domain",
    "550 Host unknown",
    "554 <ada@example.net>: Relay access denied",
    "553 sorry, that domain isn't in my list of allowed rcpthosts",
    "550-Verification failed for <news@example.org> 550-No such user here 550 Sender verify failed",
    "550 <news@example.org>: Sender address rejected: User unknown in virtual alias table",
    "550 user unknown (in reply to MAIL FROM command)",
    "554 Invalid recipient: message looks like SPAM to me",
    "550 no such user: blocked using bl.example.net",
    "550 user unknown; DMARC policy",
    "550 max message size exceeded for unknown user",
    "550 Benutzer unbekannt: Postfach voll",
    "550 you said <user.unknown@example.net>",
    "550 see https://example.net/why",
]
OTHER_CODES = ["5.0.0", "5.1.2", "5.1.7", "5.1.8", "5.2.0", "5.2.2", "5.2.3", "5.3.4", "5.4.1"]
OTHER_CODES += ["5.4.4", "5.4.6", "5.5.0", "5.6.0", "5.7.0", "5.7.1", "5.7.26", "5.1.11", "5.2.10"]
PASSING_CODES = ["4.0.0", "4.1.1", "4.2.1", "4.2.2", "4.4.1", "4.4.7", "4.7.1"]


@pytest.mark.parametrize("code", PERMANENT)
def test_five_codes_are_a_permanent_failure(code: str) -> None:
    assert judge(code, "") == Verdict(permanent=True, code=code)
    assert judge("", f"550 {code} whatever they say") == Verdict(permanent=True, code=code)


@pytest.mark.parametrize("code", OTHER_CODES + PASSING_CODES)
def test_no_other_code_is(code: str) -> None:
    assert judge(code, "") == Verdict(permanent=False, code=code)
    assert not judge("", f"550 {code} whatever they say").permanent


@pytest.mark.parametrize("code", OTHER_CODES[1:4] + OTHER_CODES[5:] + PASSING_CODES)
def test_a_code_that_says_something_else_outweighs_the_words(code: str) -> None:
    assert judge(code, "550 user unknown") == Verdict(permanent=False, code=code)
    assert judge("5.1.1", f"550 {code} user unknown") == Verdict(permanent=False, code=code)


@pytest.mark.parametrize("status", ["", "5.0.0", "5.1.0", "5.3.0"])
@pytest.mark.parametrize("words", PERMANENT_BY_WORDS)
def test_words_decide_where_the_code_says_nothing(status: str, words: str) -> None:
    told = judge(status, words)
    assert told.permanent
    assert told.code in {"5.1.1", "5.2.1"}


@pytest.mark.parametrize("status", ["", "5.0.0"])
@pytest.mark.parametrize("words", IN_DOUBT)
def test_in_doubt_nothing_is_permanent(status: str, words: str) -> None:
    assert judge(status, words) == Verdict(permanent=False, code=status)


@pytest.mark.parametrize(
    "words",
    [
        "553 Sender Policy Framework (SPF) fail 550 5.1.1 User unknown",
        "550 RCPT TO:<ada@example.net> max message size exceeded",
        "550 5.1.1 RCP-P2 Refused due to recipient preferences",
        "550 5.1.1 Mail rejected by antispam",
        "450 4.1.1 user unknown",
        "521 5.2.1 : This server will not accept delivery of this message.",
        "554 5.2.1 : (HVU:B1) https://postmaster.example.net/errors/554hvub1.html",
        "550-5.2.1 The user is receiving mail at a rate that 550-5.2.1 prevents delivery",
    ],
)
def test_words_that_tell_of_something_else_outweigh_the_code(words: str) -> None:
    assert not judge("5.1.1", words).permanent


def test_what_a_server_says_after_its_refusal_does_not_count() -> None:
    words = "550 5.1.1 <ada@example.net>... User unknown 554 5.5.1 Error: no valid recipients"
    assert judge("", words) == Verdict(permanent=True, code="5.1.1")


@pytest.mark.parametrize(
    "address", ["spam@example.net", "quota.full@example.net", "limit@x.example"]
)
def test_the_address_itself_is_not_among_the_words(address: str) -> None:
    assert judge("5.1.1", f"550 5.1.1 <{address}>: User unknown").permanent


@pytest.mark.parametrize("words", ["550 see 5.1.1.7", "550 [5.1.1]", "550 v5.1.1", "550 15.1.1"])
def test_a_code_is_not_read_out_of_other_numbers(words: str) -> None:
    assert not judge("", words).permanent
