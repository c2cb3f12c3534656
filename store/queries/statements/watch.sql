-- name: WatchedGrant :one
SELECT b.settled, b.calls,
  CAST((SELECT COUNT(*) FROM told t WHERE t.subject = g.id || '/first' AND t.kind = 'grant.first_used') AS BIGINT) AS told,
  CAST(COALESCE((SELECT m.at FROM spent_mark m WHERE m.grant_id = g.id ORDER BY m.at DESC LIMIT 1), 0) AS BIGINT) AS last_at,
  CAST(COALESCE((SELECT m.settled FROM spent_mark m WHERE m.grant_id = g.id ORDER BY m.at DESC LIMIT 1), 0) AS BIGINT) AS last_settled,
  CAST(COALESCE((SELECT m.settled FROM spent_mark m WHERE m.grant_id = g.id AND m.at <= $1 ORDER BY m.at DESC LIMIT 1), -1) AS BIGINT) AS hour_settled
FROM grants g JOIN budget b ON b.grant_id = g.id AND b.seq = 0
WHERE g.id = $2 AND g.state IN ('active', 'paused') AND g.parent_id = '' AND g.expires_at > $3;

-- name: SpentLately :many
WITH RECURSIVE up (id, parent_id) AS (
  SELECT g.id, g.parent_id FROM grants g WHERE g.id IN (SELECT r.grant_id FROM reservation r ORDER BY r.id DESC LIMIT $1)
  UNION
  SELECT p.id, p.parent_id FROM grants p JOIN up u ON p.id = u.parent_id WHERE u.parent_id <> '')
SELECT CAST(up.id AS TEXT) AS id FROM up WHERE up.parent_id = '';

-- name: Marks :many
SELECT at, settled FROM spent_mark WHERE grant_id = $1 ORDER BY at DESC LIMIT $2;

-- name: AddMark :execrows
INSERT INTO spent_mark (grant_id, at, settled)
SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM spent_mark m WHERE m.grant_id = $1 AND m.at > CAST($4 AS BIGINT));

-- name: ThinMarks :execrows
DELETE FROM spent_mark WHERE spent_mark.grant_id = $1 AND spent_mark.at < $2 AND EXISTS (
  SELECT 1 FROM spent_mark n WHERE n.grant_id = $1 AND n.at > spent_mark.at AND n.at / CAST($3 AS BIGINT) = spent_mark.at / $3);
