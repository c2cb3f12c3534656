-- name: TotalBudget :one
SELECT * FROM budget WHERE grant_id = $1 AND seq = 0;

-- name: CeilingOf :one
SELECT c.cap, CAST(COALESCE(m.earlier, 0) AS BIGINT) AS earlier, CAST(COALESCE(m.settled, 0) AS BIGINT) AS settled
FROM ceiling c LEFT JOIN ceiling_month m ON m.id = c.id AND m.month = $1 WHERE c.id = $2;

-- name: Tell :execrows
INSERT INTO told (subject, kind) VALUES ($1, $2) ON CONFLICT (subject, kind) DO NOTHING;

-- name: ForgetTold :execrows
DELETE FROM told WHERE subject = $1;

-- name: EventsOf :many
SELECT * FROM event WHERE grant_id = $1 AND kind <> 'call.held' AND kind <> 'call.settled' AND kind <> 'token.issued' ORDER BY seq DESC LIMIT $2;
