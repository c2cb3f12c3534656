-- name: SpentSince :many
SELECT CAST(r.created_at - r.created_at % CAST($1 AS BIGINT) AS BIGINT) AS begins, r.grant_id, r.provider, r.model,
  CAST(COALESCE(SUM(r.reached), 0) AS BIGINT) AS calls,
  CAST(COALESCE(SUM(r.actual), 0) AS BIGINT) AS settled,
  CAST(COALESCE(SUM(CASE WHEN r.state = 'held' THEN r.amount ELSE 0 END), 0) AS BIGINT) AS held,
  CAST(COALESCE(SUM(r.input), 0) AS BIGINT) AS input,
  CAST(COALESCE(SUM(r.output), 0) AS BIGINT) AS output
FROM reservation r WHERE r.id >= $2 AND r.created_at >= $3 AND EXISTS (SELECT 1 FROM grants g WHERE g.id = r.grant_id AND CASE g.payer WHEN '' THEN 'owner' ELSE g.payer END = $4)
GROUP BY 1, r.grant_id, r.provider, r.model ORDER BY 1 DESC, r.grant_id, r.provider, r.model LIMIT $5;
