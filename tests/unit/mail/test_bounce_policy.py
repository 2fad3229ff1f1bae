"""How a status code and a mail server's words are classified, case by case."""

import pytest

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.mail import bounce_policy
from preference_center.mail.bounce_policy import Classification, classify

PERMANENT, PROBABLE, SOFT, IGNORED = BounceSeverity

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
AMBIGUOUS = [
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
# Codes that do not mean a missing mailbox, by what they are about.
ADDRESS_OR_PATH = ["5.1.2", "5.2.2", "5.4.1", "5.4.4", "5.4.6", "5.1.11", "5.2.10", "5.3.2"]
ADDRESS_OR_PATH += ["4.0.0", "4.1.1", "4.2.1", "4.2.2", "4.4.1", "4.4.7"]
SENDER_OR_MESSAGE = ["5.1.7", "5.1.8", "5.2.3", "5.3.4", "5.6.0", "5.6.1", "5.7.0", "5.7.1"]
SENDER_OR_MESSAGE += ["4.7.0", "4.7.1", "4.7.26", "4.7.28", "5.7.23", "5.7.26", "5.7.509"]
SENDER_OR_MESSAGE += ["5.7.511", "5.7.515", "5.7.606", "5.7.708", "5.7.9"]
AUTHENTICATION = ["5.7.23", "5.7.26", "5.7.509", "5.7.515", "5.7.9"]


@pytest.mark.parametrize("code", bounce_policy.PERMANENT)
def test_permanent_codes_are_classified_as_permanent(code: str) -> None:
    assert classify(code, "") == Classification(PERMANENT, code)
    assert classify("", f"550 {code} whatever they say") == Classification(PERMANENT, code)


@pytest.mark.parametrize("code", ADDRESS_OR_PATH)
def test_a_code_about_the_address_or_path_is_soft(code: str) -> None:
    assert classify(code, "") == Classification(SOFT, code)
    assert classify("", f"550 {code} whatever they say") == Classification(SOFT, code)
    assert classify(code, "550 user unknown") == Classification(SOFT, code)
    assert classify("5.1.1", f"550 {code} user unknown") == Classification(SOFT, code)


@pytest.mark.parametrize("code", SENDER_OR_MESSAGE)
def test_a_code_about_the_sender_or_the_message_is_ignored(code: str) -> None:
    assert classify(code, "") == Classification(IGNORED, code)
    assert classify("", f"550 {code} whatever they say") == Classification(IGNORED, code)
    assert classify("5.1.1", f"550 {code} whatever they say") == Classification(IGNORED, code)


@pytest.mark.parametrize("code", AUTHENTICATION)
def test_an_authentication_code_is_ignored_whatever_the_words(code: str) -> None:
    assert classify(code, f"550 {code} no such user").severity is IGNORED


@pytest.mark.parametrize("code", ["5.7.0", "5.7.1", "5.7.133"])
@pytest.mark.parametrize("words", ["no such user", "<ada@example.net>: User unknown in table"])
def test_a_policy_code_is_permanent_if_the_words_name_a_missing_mailbox(
    code: str, words: str
) -> None:
    assert classify(code, f"550 {code} {words}") == Classification(PERMANENT, "5.1.1")
    assert classify(f"4{code[1:]}", f"450 4{code[1:]} {words}").severity is SOFT
    assert classify(code, f"550 {code} {words}: blocked as spam") == Classification(IGNORED, code)


@pytest.mark.parametrize("status", ["", "5.0.0", "5.1.0", "5.2.0", "5.3.0", "5.5.0"])
@pytest.mark.parametrize("words", PERMANENT_BY_WORDS)
def test_words_decide_if_the_code_says_nothing(status: str, words: str) -> None:
    result = classify(status, words)
    assert result.severity is PERMANENT
    assert result.code in {"5.1.1", "5.2.1"}


@pytest.mark.parametrize("status", ["", "5.0.0"])
@pytest.mark.parametrize("words", AMBIGUOUS)
def test_ambiguous_words_are_never_permanent(status: str, words: str) -> None:
    result = classify(status, words)
    assert result.severity in (SOFT, IGNORED)
    assert result.code in ("", status)


@pytest.mark.parametrize(
    "words",
    [
        "550 Message rejected as spam",
        "554 Blocked using bl.example.net",
        "550 Rejected by the policy of this site",
        "550 DMARC check failed",
        "550 Sender address rejected",
        "552 Message size exceeds the maximum",
        "554 Too many connections",
        "450 rate limit exceeded",
        "550 see https://www.example.net/spam-blocked",
    ],
)
def test_words_about_the_sender_or_the_message_are_ignored(words: str) -> None:
    assert classify("", words).severity is IGNORED
    assert classify("5.0.0", words).severity is IGNORED


@pytest.mark.parametrize(
    "words",
    [
        "552 Mailbox full",
        "452 Mailbox size limit exceeded",
        "552 User has too many messages on the server",
        "450 try again later",
        "Connection timed out",
        "550 Host unknown",
        "550 Relaying denied",
        "(0) I'm not going to try again; in the queue too long. (#4.4.1)",
        "552 5.2.2 Too much mail data",
    ],
)
def test_words_about_a_temporary_problem_are_soft(words: str) -> None:
    assert classify("", words).severity is SOFT
    assert classify("5.0.0", words).severity is SOFT


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [x.example]"),
        ("5.4.1", "550 5.4.1 [ada@example.net]: Recipient address rejected: Access denied"),
        ("5.5.0", "550 Requested action not taken: mailbox unavailable (-2147467259)"),
        ("", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."),
        ("", "host mx3.hotmail.com[192.0.2.7] said: 550 action not taken: mailbox unavailable"),
        ("5.0.0", "550 #5.1.0 Address rejected."),
        ("5.1.0", "550 #5.1.0 Address rejected ada@example.net"),
        ("5.0.0", "542 ada@example.net Rejected"),
    ],
)
def test_a_likely_missing_mailbox_is_a_probable_bounce(status: str, words: str) -> None:
    assert classify(status, words).severity is PROBABLE


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("5.4.1", "541 5.4.1 Mail rejected by destination domain"),
        ("5.5.0", "550 5.5.0 mailbox unavailable: over quota"),
        ("5.1.0", "550 5.1.0 <news@example.org>: Sender address rejected: Domain not found"),
        ("5.1.0", "550 5.1.0 Recipient address rejected: Access denied"),
        ("5.0.0", "550 Requested action not taken: mailbox unavailable"),
    ],
)
def test_similar_words_in_another_context_are_not_probable(status: str, words: str) -> None:
    assert classify(status, words).severity in (SOFT, IGNORED)


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
        "553 5.1.3 https://www.example.net/spam/query?ip=192.0.2.1",
        "553 5.1.3 Invalid reverse-path",
        "550 5.1.1 Address rejected: unable to look up recipient: LDAP server unavailable",
        "550 5.1.1 Recipient verification could not be completed",
        "550 5.1.1 Internal error",
        "550 5.1.1 Server configuration error",
        "550 5.1.1 DNS lookup failure",
        "550 5.1.1 No route to host",
        "550 5.1.1 Cannot create maildir",
        "550 5.1.1 Cannot write to mailbox: read-only file system",
        "550 5.1.1 The mailbox is over its allotted space",
        "550 5.1.1 Mailbox not accepting new messages",
        "550 5.1.1 The account is on hold: payment required",
        "550 5.1.1 Encryption required",
        "550 5.2.1 Mailbox busy",
        "550 5.2.1 Mailbox closed for maintenance",
        "550 5.1.1 Domain expired",
        "550 5.1.1 No reverse DNS for 192.0.2.1",
        "550 5.1.1 You are not on the whitelist of this recipient",
        "550 5.1.1 A URL in the message is listed by SURBL",
        "550 5.1.1 The recipient has opted out",
        "550 5.1.1 Newsletter refused",
        "550 5.1.1 Suspected scam",
        "550 5.2.1 Mail not accepted from dynamic IP",
        "550 5.1.1 Unknown user, or your IP is on a list",
        "550 No such user - your host is on our list",
    ],
)
def test_words_about_another_cause_outweigh_the_code(words: str) -> None:
    assert classify("5.1.1", words).severity in (SOFT, IGNORED)
    assert classify("", words).severity in (SOFT, IGNORED)


@pytest.mark.parametrize(
    "refusal",
    [
        "Message rejected",
        "Message refused by the recipient",
        "Transaction failed",
        "Service unavailable",
        "Rejected by a Sieve filter",
        "Message-ID header invalid",
        "Recipient refuses mail with attachments",
    ],
)
def test_a_general_refusal_outweighs_a_code_but_not_a_missing_mailbox(
    refusal: str,
) -> None:
    assert classify("5.1.1", f"550 5.1.1 {refusal}") == Classification(SOFT, "5.1.1")
    assert classify("", f"550 5.1.1 {refusal}") == Classification(SOFT, "5.1.1")
    assert classify("5.1.1", f"550 5.1.1 User unknown. {refusal}") == Classification(
        PERMANENT, "5.1.1"
    )


@pytest.mark.parametrize(
    "words",
    [
        "(mailbox disabled, not accepting messages) 550 5.2.1 <ada@x.example>... User Unknown",
        "550 5.1.1 Account not available",
        "550 5.1.1 Not our customer",
    ],
)
def test_other_words_leave_a_permanent_code_permanent(words: str) -> None:
    assert classify("", words).severity is PERMANENT


@pytest.mark.parametrize("status", ["", "5.1.0", "5.1.10"])
def test_a_domain_that_accepts_no_email_is_permanent(status: str) -> None:
    words = "Domain example.net does not accept mail (nullMX)"
    assert classify(status, words) == Classification(PERMANENT, "5.1.10")
    assert classify(status, f"Sender address rejected: {words}").severity is IGNORED


@pytest.mark.parametrize(
    "later_reply", ["554 5.5.1 Error: no valid recipients", "503 5.5.2 Need Rcpt command."]
)
def test_replies_after_the_refusal_are_ignored(later_reply: str) -> None:
    words = f"550 5.1.1 <ada@example.net>... User unknown {later_reply}"
    assert classify("", words) == Classification(PERMANENT, "5.1.1")
    assert classify("5.5.2", words) == Classification(PERMANENT, "5.1.1")


@pytest.mark.parametrize(
    "text",
    [
        "Please check the contents of your message.\n\n550 5.1.1 User unknown",
        "It responded: [550 5.1.1 User unknown] The attachment has the original content.",
        "no SMTP connection got far enough; 192.0.2.7 said: 550 Unknown user ada@x.example",
        "<<< 550 <ada@example.net>, User Unknown\n421 example.net... Deferred: timed out",
    ],
)
def test_a_servers_own_reply_outweighs_the_surrounding_words(text: str) -> None:
    assert classify("", text) == Classification(PERMANENT, "5.1.1")


def test_the_first_conclusive_reason_decides() -> None:
    assert classify("5.0.0", "550 rejected", "user unknown", "spam") == Classification(
        PERMANENT, "5.1.1"
    )
    assert classify("5.0.0", "552 over quota", "user unknown").severity is SOFT


DOCOMO = "mfsmax.docomo.ne.jp"
KDDI = "lsean.ezweb.ne.jp"
AFTER_DATA = [
    "host {}[192.0.2.7] said: 550 Unknown user ada@{} (in reply to end of DATA command)",
    "... while talking to {}.:\n>>> DATA\n<<< 550 Unknown user ada@{}\n554 5.0.0 Unavailable",
    "remote mail server after end of data: host {} [192.0.2.7]: 550 @{} User unknown",
    "after pipelined end of data: host {} [192.0.2.7]: 550 @{} User unknown",
    "{} failed after I sent the message.\nRemote host said: 550 @{} User unknown",
    "{}:\n>>> DATA\n<<< 550 ada@{} user unknown",
    "{}\n-------server message\n550 unknown user <ada@{}>\n\n-------SMTP command\nDATA\n",
]
AFTER_RCPT = [
    "host {}[192.0.2.7] said: 550 Unknown user ada@{} (in reply to RCPT TO command)",
    "while talking to {}.:\n>>> RCPT To:<ada@example.net>\n<<< 550 Unknown user ada@{}",
    "talking to {}.:\n>>> DATA\n<<< 550 Unknown user ada@{}\n<<< 503 5.5.2 Need Rcpt command.",
    "remote mail server after RCPT TO:<ada@x>: host {} [192.0.2.7]: 550 @{} User unknown",
]


@pytest.mark.parametrize("where", AFTER_DATA)
@pytest.mark.parametrize(
    ("host", "severity"),
    [(DOCOMO, SOFT), (KDDI, SOFT), ("msmx.au.com", SOFT), ("mta6.am0.yahoodns.net", PERMANENT)],
)
def test_the_host_decides_about_a_refusal_after_data(
    where: str, host: str, severity: BounceSeverity
) -> None:
    text = where.format(host, host.partition(".")[2])
    assert classify("", text).severity is severity
    assert classify("5.0.0", "550 user unknown", where=text).severity is severity


@pytest.mark.parametrize("where", AFTER_DATA)
def test_a_refusal_after_data_by_another_host_needs_a_code_to_be_permanent(where: str) -> None:
    text = where.format("mx.example.net", "example.net")
    assert classify("5.0.0", "550 user unknown", where=text).severity is PROBABLE
    assert classify("5.1.1", "550 5.1.1 user unknown", where=text).severity is PERMANENT


@pytest.mark.parametrize("where", AFTER_RCPT)
@pytest.mark.parametrize("host", [DOCOMO, KDDI, "mx.example.net"])
def test_a_refusal_after_rcpt_is_about_the_recipient(where: str, host: str) -> None:
    text = where.format(host, host.partition(".")[2])
    assert classify("5.0.0", "550 user unknown", where=text).severity is PERMANENT


@pytest.mark.parametrize("host", [DOCOMO, KDDI])
def test_a_filtering_hosts_refusal_of_an_unknown_command_is_probable(host: str) -> None:
    assert classify("5.1.1", "550 user unknown", where=host).severity is PROBABLE


@pytest.mark.parametrize("host", ["docomo.ne.jp.example.net", "not-au.com", "tableau.com"])
def test_a_host_with_a_similar_name_is_not_a_filtering_host(host: str) -> None:
    text = AFTER_DATA[0].format(host, "example.net")
    assert classify("5.1.1", "550 5.1.1 user unknown", where=text).severity is PERMANENT


@pytest.mark.parametrize(
    "text", ["The following mail could not be delivered:", "a week after mail was sent, "]
)
def test_ordinary_words_are_not_taken_for_a_command(text: str) -> None:
    assert classify("", f"{text} 550 5.1.1 user unknown").severity is PERMANENT


def test_a_refusal_of_mail_from_is_about_the_sender() -> None:
    where = "SMTP error from remote mail server after MAIL FROM:<b@x>: host y: 550 user unknown"
    assert classify("5.1.1", "550 user unknown", where=where).severity is IGNORED


@pytest.mark.parametrize("otherwise", BounceSeverity)
def test_the_providers_verdict_counts_if_nothing_else_is_conclusive(
    otherwise: BounceSeverity,
) -> None:
    assert classify("", "", otherwise=otherwise) == Classification(otherwise, "")
    assert classify("5.0.0", "500 failed", otherwise=otherwise) == Classification(
        otherwise, "5.0.0"
    )
    assert classify("", "552 Mailbox full", otherwise=otherwise).severity is SOFT
    assert classify("", "550 blocked as spam", otherwise=otherwise).severity is IGNORED


@pytest.mark.parametrize(
    "address", ["spam@example.net", "quota.full@example.net", "limit@x.example"]
)
def test_words_within_the_address_are_ignored(address: str) -> None:
    assert classify("5.1.1", f"550 5.1.1 <{address}>: User unknown").severity is PERMANENT


def test_words_within_a_url_are_ignored() -> None:
    words = "550 5.1.1 User unknown. See https://example.net/policy/blocked-spam.html"
    assert classify("5.1.1", words).severity is PERMANENT


@pytest.mark.parametrize("words", ["550 see 5.1.1.7", "550 [5.1.1]", "550 v5.1.1", "550 15.1.1"])
def test_a_code_is_not_extracted_from_other_numbers(words: str) -> None:
    assert classify("", words).severity is SOFT


@pytest.mark.parametrize(
    "piece", ["host a.", "a.b ", ">>> data ", "said: 550", "\n550 ", "[", "5.1.1 ", "http://", " "]
)
def test_no_pattern_backtracks_long_on_hostile_words(piece: str) -> None:
    hostile = piece * 40_000
    assert classify("5.0.0", hostile, hostile, where=hostile).severity in BounceSeverity
