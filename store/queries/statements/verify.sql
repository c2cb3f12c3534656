-- name: LedgerCounts :one
SELECT (SELECT COUNT(*) FROM grants) AS grants, (SELECT COUNT(*) FROM budget) AS budgets, (SELECT COUNT(*) FROM event) AS events;

-- name: LedgerSums :many
SELECT state, COUNT(*) AS calls, CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS amount, CAST(COALESCE(SUM(actual), 0) AS BIGINT) AS actual
FROM reservation GROUP BY state ORDER BY state;

-- name: OverspentBudgets :many
SELECT b.grant_id, b.seq, b.cap, b.settled, b.held FROM budget b WHERE b.settled + b.held > b.cap ORDER BY b.grant_id, b.seq LIMIT $1;

-- name: WrongReservations :many
SELECT r.id, r.grant_id, r.state, r.amount, r.actual, r.reached, r.ended_at FROM reservation r
LEFT JOIN budget b ON b.grant_id = r.grant_id AND b.seq = 0
WHERE b.grant_id IS NULL OR r.state NOT IN ('held', 'settled', 'swept')
  OR (r.state = 'held' AND (r.actual <> 0 OR r.ended_at <> 0))
  OR (r.state <> 'held' AND r.ended_at = 0)
  OR (r.state = 'swept' AND r.actual <> r.amount)
  OR (r.reached = 0 AND r.actual <> 0)
ORDER BY r.id LIMIT $1;

-- name: UntoldReservations :many
SELECT r.id, r.state FROM reservation r
LEFT JOIN event c ON c.id = r.id || ':charged'
LEFT JOIN event a ON a.id = r.id || ':adjusted'
WHERE (r.state = 'swept' AND c.id IS NULL) OR (r.state <> 'swept' AND c.id IS NOT NULL AND a.id IS NULL)
ORDER BY r.id LIMIT $1;

-- name: LostReservations :many
SELECT e.id FROM event e LEFT JOIN reservation r ON r.id = substr(e.id, 1, length(e.id) - 8)
WHERE e.kind = 'call.charged' AND r.id IS NULL ORDER BY e.id LIMIT $1;
