-- name: AddSDKKey :execrows
INSERT INTO sdk_key (id, grant_id, hash, name, start) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING;

-- name: TokenOfSDKKey :one
SELECT t.* FROM sdk_key k JOIN token t ON t.id = k.id WHERE k.hash = $1;

-- name: SDKKeys :many
SELECT k.id, k.grant_id, k.name, k.start, k.used_at, t.issued_at, t.expires_at, t.revoked_at
FROM sdk_key k JOIN token t ON t.id = k.id WHERE k.grant_id = $1 ORDER BY k.id DESC LIMIT $2;

-- name: LiveSDKKeys :one
SELECT COUNT(*) FROM sdk_key k JOIN token t ON t.id = k.id WHERE k.grant_id = $1 AND t.revoked_at = 0 AND t.expires_at > $2;

-- name: SDKKeyThere :one
SELECT COUNT(*) FROM sdk_key WHERE id = $1 AND grant_id = $2;

-- name: TokenThere :one
SELECT COUNT(*) FROM token WHERE id = $1 AND grant_id = $2;

-- name: LiveTokens :many
SELECT t.* FROM token t WHERE t.grant_id = $1 AND t.expires_at > $2 AND t.revoked_at = 0 AND NOT EXISTS (SELECT 1 FROM sdk_key k WHERE k.id = t.id)
ORDER BY t.expires_at DESC, t.id DESC LIMIT $3;

-- name: RevokeToken :execrows
UPDATE token SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0;

-- name: UsedSDKKey :exec
UPDATE sdk_key SET used_at = $1 WHERE id = $2 AND used_at < $1;
