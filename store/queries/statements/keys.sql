-- name: AddToken :execrows
INSERT INTO token (id, grant_id, issued_at, expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING;

-- name: RevokeTokens :execrows
UPDATE token SET revoked_at = $1 WHERE grant_id = $2 AND revoked_at = 0;

-- name: SigningKeys :many
SELECT * FROM signing_key ORDER BY created_at DESC, id DESC;

-- name: AddSigningKey :execrows
INSERT INTO signing_key (id, state, sealed, public, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING;

-- name: MoveSigningKey :execrows
UPDATE signing_key SET state = $1 WHERE id = $2;

-- name: RemoveSigningKey :execrows
DELETE FROM signing_key WHERE id = $1;

-- name: Credentials :many
SELECT * FROM credential ORDER BY created_at, id;

-- name: AddCredential :execrows
INSERT INTO credential (id, provider, label, sealed, created_at, tested_at, test_error, version, chosen_at, rotated_at, refused_at, payer)
VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING;

-- name: RemoveCredential :execrows
DELETE FROM credential WHERE id = $1;

-- name: ChangeCredential :execrows
UPDATE credential SET label = $1, sealed = $2, tested_at = $3, test_error = $4, chosen_at = $5, rotated_at = $6, refused_at = $7, version = version + 1
WHERE id = $8 AND version = $9;

-- name: HasCredential :one
SELECT COUNT(*) FROM credential WHERE id = $1;

-- name: CredentialsOf :many
SELECT id FROM credential WHERE provider = $1 ORDER BY id;
