-- name: Reservation :one
SELECT * FROM reservation WHERE id = $1;

-- name: OpenReservations :many
SELECT * FROM reservation WHERE state = 'held' ORDER BY id LIMIT $1;

-- name: SweepReservation :execrows
UPDATE reservation SET state = 'swept', actual = amount, why = $1, ended_at = $2 WHERE id = $3 AND state = 'held';

-- name: AdjustReservation :execrows
UPDATE reservation SET state = 'settled', actual = $1, reached = $2, why = $3, usage_known = $4, input = $5, cache_read = $6,
  cache_write = $7, cache_write_1h = $8, output = $9, reasoning = $10, ended_at = $11, input_audio = $12, input_image = $13,
  cache_audio = $14, cache_image = $15, output_audio = $16, output_image = $17, searches = $18, file_searches = $19, audio_seconds = $20
WHERE id = $21 AND state = 'swept';

-- name: MoveBudgets :execrows
UPDATE budget SET held = held + $1, settled = settled + $2, calls = calls + $3
WHERE grant_id = $4 AND (seq = 0 OR seq = $5);

-- name: ReservationsBefore :many
SELECT * FROM reservation WHERE grant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3;

-- name: NewestReservations :many
SELECT * FROM reservation WHERE grant_id = $1 ORDER BY id DESC LIMIT $2;

-- name: OpenTotals :one
SELECT CAST(COALESCE(SUM(r.amount), 0) AS BIGINT) AS held,
  CAST(COALESCE(SUM(CASE WHEN r.created_at >= $1 THEN r.reached ELSE 0 END), 0) AS BIGINT) AS calls
FROM reservation r WHERE r.state = 'held' AND EXISTS (SELECT 1 FROM grants g WHERE g.id = r.grant_id AND CASE g.payer WHEN '' THEN 'owner' ELSE g.payer END = $2);

-- name: EndedTotals :one
SELECT CAST(COALESCE(SUM(r.actual), 0) AS BIGINT) AS settled,
  CAST(COALESCE(SUM(CASE WHEN r.created_at >= $1 THEN r.reached ELSE 0 END), 0) AS BIGINT) AS calls
FROM reservation r WHERE r.state <> 'held' AND r.id >= $2 AND r.created_at >= $1 AND EXISTS (SELECT 1 FROM grants g WHERE g.id = r.grant_id AND CASE g.payer WHEN '' THEN 'owner' ELSE g.payer END = $3);

-- name: WrongBalances :many
WITH RECURSIVE up (origin, detail, grant_id, seq) AS (
  SELECT b.grant_id, CASE WHEN b.seq = 0 THEN 0 ELSE b.seq - 1 END, b.parent_id, b.parent_seq FROM budget b
  WHERE b.parent_id <> '' AND (b.seq > 0 OR NOT EXISTS (SELECT 1 FROM budget p WHERE p.grant_id = b.grant_id AND p.seq > 0))
  UNION ALL
  SELECT u.origin, u.detail, b.parent_id, b.parent_seq FROM up u JOIN budget b ON b.grant_id = u.grant_id AND b.seq = u.seq WHERE b.parent_id <> '')
SELECT w.* FROM (
  SELECT b.grant_id, b.seq, b.held, b.settled, b.calls,
    CAST(COALESCE(SUM(r.held), 0) AS BIGINT) AS sum_held,
    CAST(COALESCE(SUM(r.settled), 0) AS BIGINT) AS sum_settled,
    CAST(COALESCE(SUM(r.calls), 0) AS BIGINT) AS sum_calls
  FROM budget b LEFT JOIN (
    SELECT v.grant_id, v.detail + 1 AS seq, CASE WHEN v.state = 'held' THEN v.amount ELSE 0 END AS held, v.actual AS settled, v.reached AS calls FROM reservation v
    UNION ALL
    SELECT u.grant_id, u.seq, CASE WHEN v.state = 'held' THEN v.amount ELSE 0 END, v.actual, v.reached
    FROM up u JOIN reservation v ON v.grant_id = u.origin AND v.detail = u.detail) r
  ON r.grant_id = b.grant_id AND (b.seq = 0 OR r.seq = b.seq)
  GROUP BY b.grant_id, b.seq, b.held, b.settled, b.calls) w
WHERE w.held <> w.sum_held OR w.settled <> w.sum_settled OR w.calls <> w.sum_calls
ORDER BY w.grant_id, w.seq;

-- name: WrongStatuses :many
SELECT b.grant_id, b.status, g.state FROM budget b JOIN grants g ON g.id = b.grant_id
WHERE b.seq = 0 AND (b.expires_at <> g.expires_at OR b.status <> CASE WHEN g.state = 'active' AND EXISTS (
  SELECT 1 FROM setting s WHERE s.name = 'apps_stopped:' || CASE b.member WHEN '' THEN 'owner' ELSE b.member END) THEN 'stopped' ELSE g.state END)
ORDER BY b.grant_id;
