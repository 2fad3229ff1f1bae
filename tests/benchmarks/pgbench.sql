-- For pgbench: the unsubscribe of one subscriber in one transaction, with the product's rows.
--
-- Each client takes the next of its own range of `benchmark_people`. The texts are variables, since
-- pgbench would read the colons in them as the names of variables.
\set n :n + 1
\set place :client_id * :each + :n
BEGIN;
UPDATE subscribers SET seq = subscribers.seq + 1, head = decode(:hash, 'hex')
  FROM benchmark_people AS p
  WHERE p.n = :place AND subscribers.subscriber_id = p.subscriber_id
  RETURNING subscribers.subscriber_id AS id \gset
UPDATE subscriptions SET status = 'unsubscribed', paused_until = NULL, source = 'one-click',
  changed_at = now(), updated_at = now(), repeated_at = NULL
  WHERE subscriber_id = :id AND topic = 'weekly-news';
INSERT INTO ledger (subscriber_id, seq, event, scope, topic, source, campaign, occurred_at,
    recorded_at, digest, hash)
  VALUES (:id, 1, 'unsubscribed', 'topic', 'weekly-news', 'one-click', '2026-47', now(), now(),
    decode(:hash, 'hex'), decode(:hash, 'hex'));
INSERT INTO ledger_details (subscriber_id, seq, salt, before, after)
  VALUES (:id, 1, decode(:salt, 'hex'), :before, :after);
INSERT INTO outbox (subscriber_id, id, kind, topic, state, first_seq, last_seq, message_id,
    created_at, latest_at, due_at, attempts)
  VALUES (:id, gen_random_uuid(), 'change_notice', '', 'pending', 1, 1,
    replace(gen_random_uuid()::text, '-', ''), now(), now() + interval '10 minutes',
    now() + interval '2 minutes', 0);
COMMIT;
