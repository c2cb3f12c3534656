-- name: AddIdentity :execrows
INSERT INTO identity (hash, person_id, issuer, subject, email, linked_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hash) DO NOTHING;

-- name: Identity :one
SELECT * FROM identity WHERE hash = $1;

-- name: Identities :many
SELECT * FROM identity WHERE person_id = $1 ORDER BY linked_at, hash LIMIT $2;

-- name: RemoveIdentity :execrows
DELETE FROM identity WHERE hash = $1 AND person_id = $2;

-- name: RemoveIdentitiesOf :execrows
DELETE FROM identity WHERE person_id = $1;

-- name: NoteIdentityGone :exec
INSERT INTO identity_gone (hash, at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING;

-- name: NoteIdentitiesGone :exec
INSERT INTO identity_gone (hash, at) SELECT hash, CAST(sqlc.arg(at) AS BIGINT) FROM identity WHERE person_id = sqlc.arg(person_id) ON CONFLICT (hash) DO NOTHING;

-- name: ForgetIdentityGone :exec
DELETE FROM identity_gone WHERE hash = $1;

-- name: IdentityGone :one
SELECT COUNT(*) FROM identity_gone WHERE hash = $1;
