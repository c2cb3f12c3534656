-- name: Ceiling :one
SELECT cap, own, most FROM ceiling WHERE id = $1;

-- name: Ceilings :many
SELECT c.id, c.cap, c.own, c.most, CAST(COALESCE(k.payer, '') AS TEXT) AS payer, CAST(COALESCE(m.earlier, 0) AS BIGINT) AS earlier, CAST(COALESCE(m.settled, 0) AS BIGINT) AS settled,
  CAST(COALESCE(m.held, 0) AS BIGINT) AS held
FROM ceiling c LEFT JOIN ceiling_month m ON m.id = c.id AND m.month = $1 LEFT JOIN credential k ON c.id = 'credential:' || k.id ORDER BY c.id;

-- name: SetCeiling :exec
INSERT INTO ceiling (id, cap, own, most) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET cap = excluded.cap, own = excluded.own, most = excluded.most;

-- name: RemoveCeiling :execrows
DELETE FROM ceiling WHERE id = $1;

-- name: SettledBesidePerson :one
SELECT CAST(COALESCE(SUM(actual), 0) AS BIGINT) AS settled FROM reservation
WHERE state <> 'held' AND created_at >= $1 AND created_at < $2 AND person_month = 0 AND member = $3 AND id >= $4;

-- name: SettledBesideKey :one
SELECT CAST(COALESCE(SUM(actual), 0) AS BIGINT) AS settled FROM reservation
WHERE state <> 'held' AND created_at >= $1 AND created_at < $2 AND key_month = 0 AND provider = $3 AND member = $4 AND id >= $5;

-- name: SettledBesideCredential :one
SELECT CAST(COALESCE(SUM(actual), 0) AS BIGINT) AS settled FROM reservation
WHERE state <> 'held' AND created_at >= $1 AND created_at < $2 AND credential_month = 0 AND credential_id = $3 AND id >= $4;

-- name: HeldBesidePerson :one
SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS held FROM reservation
WHERE state = 'held' AND created_at >= $1 AND created_at < $2 AND person_month = 0 AND member = $3;

-- name: HeldBesideKey :one
SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS held FROM reservation
WHERE state = 'held' AND created_at >= $1 AND created_at < $2 AND key_month = 0 AND provider = $3 AND member = $4;

-- name: HeldBesideCredential :one
SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS held FROM reservation
WHERE state = 'held' AND created_at >= $1 AND created_at < $2 AND credential_month = 0 AND credential_id = $3;

-- name: TakeUpPerson :execrows
UPDATE reservation SET person_month = $1
WHERE state = 'held' AND created_at >= $2 AND created_at < $3 AND person_month = 0 AND member = $4;

-- name: TakeUpKey :execrows
UPDATE reservation SET key_month = $1
WHERE state = 'held' AND created_at >= $2 AND created_at < $3 AND key_month = 0 AND provider = $4 AND member = $5;

-- name: TakeUpCredential :execrows
UPDATE reservation SET credential_month = $1
WHERE state = 'held' AND created_at >= $2 AND created_at < $3 AND credential_month = 0 AND credential_id = $4;

-- name: OpenCeilingMonth :exec
INSERT INTO ceiling_month (id, month, earlier, settled, held) VALUES ($1, $2, $3, 0, $4)
ON CONFLICT (id, month) DO UPDATE SET earlier = excluded.earlier, held = ceiling_month.held + excluded.held;

-- name: MoveCeilingMonth :execrows
UPDATE ceiling_month SET held = held + $1, settled = settled + $2 WHERE id = $3 AND month = $4;

-- name: RaiseEarlier :exec
UPDATE ceiling_month SET earlier = earlier + $1 WHERE month = $2 AND id = $3;

-- name: NewestCeilingMonths :many
SELECT m.id, m.month, m.earlier FROM ceiling_month m JOIN ceiling c ON c.id = m.id
WHERE m.month = (SELECT MAX(n.month) FROM ceiling_month n WHERE n.id = m.id) ORDER BY m.id;

-- name: WrongCeilings :many
SELECT w.id, w.month, w.held, w.settled, w.sum_held, w.sum_settled FROM (
  SELECT u.id, u.month, CAST(SUM(u.held) AS BIGINT) AS held, CAST(SUM(u.settled) AS BIGINT) AS settled,
    CAST(SUM(u.r_held) AS BIGINT) AS sum_held, CAST(SUM(u.r_settled) AS BIGINT) AS sum_settled
  FROM (
    SELECT id, month, held, settled, 0 AS r_held, 0 AS r_settled FROM ceiling_month
    UNION ALL
    SELECT rtrim('person:' || member, ':') AS id, person_month AS month, 0 AS held, 0 AS settled,
      CASE WHEN state = 'held' THEN amount ELSE 0 END AS r_held, actual AS r_settled
    FROM reservation WHERE person_month <> 0
    UNION ALL
    SELECT rtrim('key:' || provider || ':' || member, ':') AS id, key_month AS month, 0 AS held, 0 AS settled,
      CASE WHEN state = 'held' THEN amount ELSE 0 END AS r_held, actual AS r_settled
    FROM reservation WHERE key_month <> 0
    UNION ALL
    SELECT 'credential:' || credential_id AS id, credential_month AS month, 0 AS held, 0 AS settled,
      CASE WHEN state = 'held' THEN amount ELSE 0 END AS r_held, actual AS r_settled
    FROM reservation WHERE credential_month <> 0) u
  GROUP BY u.id, u.month) w
WHERE w.held <> w.sum_held OR w.settled <> w.sum_settled ORDER BY w.id, w.month;
