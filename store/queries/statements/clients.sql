-- name: Client :one
SELECT * FROM client WHERE id = $1;

-- name: Clients :many
SELECT * FROM client WHERE kind = $1 ORDER BY created_at DESC, id DESC LIMIT $2;

-- name: CountClients :one
SELECT COUNT(*) FROM client WHERE kind = $1;

-- name: AddClient :execrows
INSERT INTO client (id, kind, name, uri, redirect_uris, auth, secret_hash, jwks, jwks_uri, dpop, manage_hash, created_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0) ON CONFLICT (id) DO NOTHING;

-- name: ChangeClient :execrows
UPDATE client SET name = $1, uri = $2, redirect_uris = $3, auth = $4, secret_hash = $5, jwks = $6, jwks_uri = $7, dpop = $8, manage_hash = $9
WHERE id = $10 AND kind = $11;

-- name: UseClient :exec
UPDATE client SET used_at = $1 WHERE id = $2 AND used_at < $3;

-- name: RemoveClient :execrows
DELETE FROM client WHERE id = $1 AND kind = $2;

-- name: UnusedClient :one
SELECT id FROM client WHERE kind = $1 AND NOT EXISTS (
  SELECT 1 FROM grants WHERE grants.client_id = client.id AND grants.state IN ('pending', 'active', 'paused') AND grants.expires_at > $2)
ORDER BY CASE WHEN used_at > created_at THEN used_at ELSE created_at END, id LIMIT 1;

-- name: GrantsOfClient :many
SELECT id FROM grants WHERE client_id = $1 AND client_id <> '' AND state IN ('pending', 'active', 'paused') ORDER BY id LIMIT $2;
