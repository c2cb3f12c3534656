-- name: CountPeople :one
SELECT COUNT(*) FROM person;

-- name: AddPerson :exec
INSERT INTO person (id, name, username, password_hash, created_at, role) VALUES ($1, $2, $3, $4, $5, $6);

-- name: FirstPerson :one
SELECT * FROM person WHERE role = 'owner' ORDER BY created_at, id LIMIT 1;

-- name: Person :one
SELECT * FROM person WHERE id = $1;

-- name: PersonNamed :one
SELECT * FROM person WHERE username = $1;

-- name: AddSession :execrows
INSERT INTO session (hash, person_id, created_at, expires_at, agent, address, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hash) DO NOTHING;

-- name: RemoveEndedSessions :execrows
DELETE FROM session WHERE expires_at <= $1;

-- name: Session :one
SELECT * FROM session WHERE hash = $1;

-- name: RemoveSession :execrows
DELETE FROM session WHERE hash = $1;

-- name: AddOwnerToken :execrows
INSERT INTO owner_token (hash, label, created_at, expires_at, person_id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hash) DO NOTHING;

-- name: RemoveEndedOwnerTokens :execrows
DELETE FROM owner_token WHERE expires_at <> 0 AND expires_at <= $1;

-- name: OwnerToken :one
SELECT * FROM owner_token WHERE hash = $1;

-- name: OwnerTokens :many
SELECT * FROM owner_token WHERE person_id = $1 ORDER BY created_at DESC, hash LIMIT $2;

-- name: RemoveOwnerToken :execrows
DELETE FROM owner_token WHERE hash = $1 AND person_id = $2;

-- name: SetPassword :execrows
UPDATE person SET password_hash = $1 WHERE id = $2;
