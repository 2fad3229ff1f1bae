"""A year of a large installation, written by SQL: for the pages of the console, on PostgreSQL.

There are 30 topics, three mailings a day, and ten ledger rows a subscriber, spread over a year; two
of the ten answer a mailing. Rows are written in the order of time, as an installation does. The
seals of the ledger are zeros. Counts of past days are in slot 0, as `purge` leaves them, and those
of today in 64 slots. Claims are those of the last ten days.
"""

from tests.benchmarks.databases import connect, settle

_ZEROS = "decode(repeat('00', 32), 'hex')"
_MAILED = "at::date - least(floor(-3 * ln(1 - random()))::int, 60)"
_SLOT = "CASE WHEN at::date = current_date THEN 1 + floor(64 * random())::int ELSE 0 END"
_NUMBER_OF_TOPIC = "((day - date '2020-01-01') * 3 + place) % 30"

_STATEMENTS = (
    "SET session_replication_role = replica",  # No check of foreign keys, row by row.
    "SELECT setseed(0.5)",
    """
INSERT INTO topics (slug, policy, visibility, change_notices, created_at)
SELECT format('topic-%s', n), 'opt_in', 'public', true, now() - interval '400 days'
FROM generate_series(0, 29) AS n
""",
    """
INSERT INTO topic_texts SELECT slug, 'en', initcap(slug), '' FROM topics WHERE slug LIKE 'topic-%'
""",
    f"""
CREATE TEMPORARY TABLE mailings AS
SELECT day, format('%s-%s', day, place) AS campaign, format('topic-%s', {_NUMBER_OF_TOPIC}) AS topic
FROM (SELECT current_date - n AS day FROM generate_series(0, 364) AS n) AS days,
    generate_series(1, 3) AS place
""",
    f"""
INSERT INTO subscribers (subscriber_id, email, created_at, seq, head)
SELECT md5(n::text)::uuid, format('reader%s@mail%s.example.org', n, n % 1000),
    now() - make_interval(days => 366 + n % 1000), 10, {_ZEROS}
FROM generate_series(1, {{people}}) AS n
""",
    # A fifth of the changes answers a mailing, most of them within days.
    f"""
CREATE TEMPORARY TABLE changes AS
WITH times AS (
    SELECT n, seq, now() - make_interval(secs => 86400 * 36.5 * (10 - seq + random())) AS at,
        seq > 1 AND random() < 0.2 AS answers, random() AS e, random() AS s
    FROM generate_series(1, {{people}}) AS n, generate_series(1, 10) AS seq
), mailed AS (
    SELECT *, {_MAILED} AS day, 1 + floor(3 * random())::int AS place FROM times
), named AS (
    SELECT *,
        CASE WHEN answers THEN
            CASE WHEN e < 0.6 THEN 'unsubscribed' WHEN e < 0.75 THEN 'reduced'
                WHEN e < 0.9 THEN 'paused' ELSE 'undone' END
        WHEN seq = 1 OR e < 0.6 THEN 'subscribed' WHEN e < 0.8 THEN 'increased'
        WHEN e < 0.95 THEN 'resubscribed' ELSE 'unsubscribed' END AS event,
        CASE WHEN answers AND e < 0.6 THEN
            CASE WHEN s < 0.4 THEN 'one-click' WHEN s < 0.8 THEN 'page' WHEN s < 0.85 THEN 'mailto'
                WHEN s < 0.88 THEN 'complaint' WHEN s < 0.94 THEN 'bounce' ELSE 'provider' END
        WHEN answers THEN 'page' WHEN seq = 1 OR e < 0.6 THEN 'import'
        WHEN s < 0.4 THEN 'page' WHEN s < 0.8 THEN 'api' ELSE 'console' END AS source
    FROM mailed
)
SELECT md5(n::text)::uuid AS id, seq, at, event, source, {_SLOT} AS slot,
    CASE WHEN source = 'bounce' THEN 'address'
        WHEN source = 'complaint' OR (answers AND e < 0.06) THEN 'all' ELSE 'topic' END AS scope,
    format('topic-%s', CASE WHEN answers THEN {_NUMBER_OF_TOPIC} ELSE n % 30 END) AS topic,
    CASE WHEN answers THEN format('%s-%s', day, place) END AS campaign
FROM named
""",
    "UPDATE changes SET topic = NULL WHERE scope <> 'topic'",
    f"""
INSERT INTO ledger (subscriber_id, seq, event, scope, topic, source, campaign, occurred_at,
    recorded_at, digest, hash)
SELECT id, seq, event, scope, topic, source, campaign, at, at, {_ZEROS}, {_ZEROS} FROM changes
ORDER BY at
""",
    """
INSERT INTO ledger_details (subscriber_id, seq, salt, before, after)
SELECT id, seq, decode(repeat('00', 16), 'hex'), '{}', '{}' FROM changes WHERE seq > 8
""",
    """
INSERT INTO ledger_counts (day, topic, campaign, event, scope, source, slot, count)
SELECT at::date, coalesce(topic, ''), coalesce(campaign, ''), event, scope, source, slot, count(*)
FROM changes GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1
""",
    """
INSERT INTO ledger_day_counts (day, event, scope, source, count)
SELECT day, event, scope, source, sum(count) FROM ledger_counts WHERE slot = 0 GROUP BY 1, 2, 3, 4
""",
    """
INSERT INTO ledger_week_counts (week, topic, campaign, event, scope, source, count)
SELECT date_trunc('week', day)::date, topic, campaign, event, scope, source, sum(count)
FROM ledger_counts WHERE slot = 0 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1
""",
    """
INSERT INTO events (subscriber_id, seq, name, recorded_at, position)
SELECT id, seq, CASE event WHEN 'unsubscribed' THEN 'topic.stopped' ELSE 'topic.changed' END, at,
    row_number() OVER (ORDER BY at)
FROM changes WHERE at > now() - interval '30 days'
""",
    "UPDATE feed SET position = (SELECT max(position) FROM events)",
    """
INSERT INTO reasons (subscriber_id, seq, given_at, week, topic, campaign, code, note)
SELECT id, seq, at, date_trunc('week', at)::date, topic, campaign,
    (ARRAY['too_many', 'not_relevant', 'other', 'content_quality'])[1 + seq % 4],
    CASE WHEN seq % 3 = 0 THEN 'Three emails a day are too many for me.' ELSE '' END
FROM changes
WHERE event = 'unsubscribed' AND source IN ('page', 'one-click') AND random() < 0.3
    AND at > now() - interval '90 days'
ORDER BY at
""",
    """
INSERT INTO anonymized_reasons (id, week, topic, campaign, code, note)
SELECT gen_random_uuid(), date_trunc('week', at)::date, topic, campaign,
    (ARRAY['too_many', 'not_relevant', 'other', 'content_quality'])[1 + seq % 4],
    CASE WHEN seq % 3 = 0 THEN 'Three emails a day are too many for me.' ELSE '' END
FROM changes
WHERE event = 'unsubscribed' AND source IN ('page', 'one-click') AND random() < 0.3
    AND at <= now() - interval '90 days'
ORDER BY at
""",
    """
INSERT INTO subscriptions (subscriber_id, topic, status, frequency, changed_at, source, basis,
    acquired_from, consent_source, updated_at)
SELECT md5(n::text)::uuid, format('topic-%s', (n + 7 * place) % 30),
    CASE WHEN random() < 0.8 THEN 'subscribed' ELSE 'unsubscribed' END,
    CASE WHEN random() < 0.9 THEN 'every' ELSE 'weekly' END,
    now() - make_interval(days => n % 365), 'page', '', '', '', now()
FROM generate_series(1, {people}) AS n, generate_series(0, 2) AS place
""",
    """
INSERT INTO suppressions (subscriber_id, kind, since, source, updated_at)
SELECT md5(n::text)::uuid, CASE n % 2 WHEN 0 THEN 'all' ELSE 'address' END,
    now() - make_interval(days => n % 365), 'page', now()
FROM generate_series(1, {people}, 21) AS n
""",
    """
INSERT INTO subscriber_counts (day, topic, frequency, slot, count)
SELECT current_date - n, topic, frequency, slot,
    CASE n WHEN 365 THEN {people} / 36 ELSE n % 40 - 15 END
FROM generate_series(0, 365) AS n,
    (SELECT slug, unnest(ARRAY['every', 'weekly', 'monthly']) FROM topics UNION ALL SELECT '', '')
    AS known (topic, frequency), generate_series(0, 64) AS slot
WHERE n = 0 OR slot = 0
""",
    """
INSERT INTO emailed_counts (day, topic, campaign, slot, count)
SELECT day, topic, campaign, slot, {people} / 12
FROM mailings, generate_series(0, 64) AS slot WHERE day = current_date OR slot = 0
""",
    """
INSERT INTO received_counts (day, received, unsubscribed, slot, count)
SELECT current_date - n, received, unsubscribed, slot, {people} / (CASE WHEN unsubscribed THEN 500
    ELSE 5 END)
FROM generate_series(0, 364) AS n, unnest(ARRAY['1', '2-4', '5-9', '10-19', '20-']) AS received,
    unnest(ARRAY[true, false]) AS unsubscribed, generate_series(0, 64) AS slot
WHERE n = 0 OR slot = 0
""",
    """
INSERT INTO page_views (day, topic, campaign, count)
SELECT day + n, topic, campaign, 100 + 1000 / (1 + n)
FROM mailings, generate_series(0, 6) AS n
WHERE day + n <= current_date
""",
    """
INSERT INTO bounce_counts (domain, hour, count)
SELECT format('mail%s.example.org', n), date_trunc('hour', now()) - make_interval(hours => h), 1
FROM generate_series(0, 999) AS n, generate_series(1, 335, 12) AS h
""",
    """
INSERT INTO claim_counts (domain, day, count)
SELECT format('mail%s.example.org', n), current_date - d, 300
FROM generate_series(0, 999) AS n, generate_series(0, 13) AS d
""",
    """
INSERT INTO claims (subscriber_id, topic, campaign, claimed_at, received)
SELECT subscriber_id, topic, campaign, least(day + interval '9 hours', now()), 1
FROM mailings JOIN subscriptions USING (topic)
WHERE status = 'subscribed' AND day > current_date - 10
""",
    """
INSERT INTO outbox (subscriber_id, id, kind, state, first_seq, last_seq, message_id, created_at,
    latest_at, due_at, attempts, settled_at)
SELECT id, gen_random_uuid(), 'change_notice', CASE WHEN random() < 0.01 THEN 'failed' ELSE 'sent'
    END, seq, seq, md5(id::text || seq), at, at, at, 1, at
FROM changes WHERE event = 'unsubscribed' AND at > now() - interval '30 days'
""",
    """
INSERT INTO data_complaints (subscriber_id, number, received_at, text)
SELECT md5(n::text)::uuid, 1, now() - make_interval(days => n), repeat('Where is my data? ', 20)
FROM generate_series(1, 100) AS n
""",
    f"""
INSERT INTO staff_audit (position, at, staff_id, action, about, details, hash)
SELECT coalesce(head.position, 0) + n, now() - make_interval(mins => 100001 - n), staff.id,
    'person_read', md5(n::text)::uuid, '{{}}', {_ZEROS}
FROM staff, staff_audit_head AS head, generate_series(1, 100000) AS n
""",
    "UPDATE staff_audit_head SET position = (SELECT max(position) FROM staff_audit)",
    "SET session_replication_role = origin",
)


# Making an index of all rows at the end takes a fraction of the time.
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('claims', 'events', 'ledger', 'outbox', 'reasons', 'subscribers',
    'subscriptions') AND indexname LIKE 'ix_%'
"""


def fill(url: str, people: int) -> None:
    """Fill a database that has the tables, one member of staff, and no subscribers."""
    connection = connect(url)
    indexes = connection.execute(_INDEXES).fetchall()
    for statement in (
        *(f"DROP INDEX {name}" for name, _ in indexes),
        *(each.replace("{people}", str(people)) for each in _STATEMENTS),
        *(definition for _, definition in indexes),
    ):
        connection.execute(statement)
    connection.close()
    settle(url)
