-- name: SpentSince :many
SELECT CAST(created_at - created_at % CAST($1 AS BIGINT) AS BIGINT) AS begins, grant_id, provider, model,
  CAST(COALESCE(SUM(reached), 0) AS BIGINT) AS calls,
  CAST(COALESCE(SUM(actual), 0) AS BIGINT) AS settled,
  CAST(COALESCE(SUM(CASE WHEN state = 'held' THEN amount ELSE 0 END), 0) AS BIGINT) AS held,
  CAST(COALESCE(SUM(input), 0) AS BIGINT) AS input,
  CAST(COALESCE(SUM(output), 0) AS BIGINT) AS output
FROM reservation WHERE id >= $2 AND created_at >= $3
GROUP BY 1, grant_id, provider, model ORDER BY 1 DESC, grant_id, provider, model LIMIT $4;
