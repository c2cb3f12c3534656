-- name: Seen :execrows
INSERT INTO seen (kind, hash, until) VALUES ($1, $2, $3) ON CONFLICT (kind, hash) DO NOTHING;

-- name: DropSeen :execrows
DELETE FROM seen WHERE (kind, hash) IN (SELECT o.kind, o.hash FROM seen o WHERE o.until <= $1 ORDER BY o.until LIMIT $2);
