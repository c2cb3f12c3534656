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

-- name: AddInvitation :execrows
INSERT INTO invitation (hash, label, created_at, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING;

-- name: RemoveEndedInvitations :execrows
DELETE FROM invitation WHERE expires_at <= $1;

-- name: Invitation :one
SELECT * FROM invitation WHERE hash = $1;

-- name: Invitations :many
SELECT * FROM invitation ORDER BY created_at DESC, hash LIMIT $1;

-- name: RemoveInvitation :execrows
DELETE FROM invitation WHERE hash = $1;

-- name: People :many
SELECT * FROM person ORDER BY role DESC, created_at, id LIMIT $1;

-- name: SuspendPerson :execrows
UPDATE person SET suspended_at = $1 WHERE id = $2 AND role = 'member';

-- name: RemoveSessionsOf :execrows
DELETE FROM session WHERE person_id = $1;

-- name: RemoveOwnerTokensOf :execrows
DELETE FROM owner_token WHERE person_id = $1 AND person_id <> '';

-- name: RemovePasskeysOf :execrows
DELETE FROM passkey WHERE person_id = $1;

-- name: RemovePerson :execrows
DELETE FROM person WHERE id = $1 AND role = 'member' AND suspended_at <> 0;

-- name: SpentByPayer :many
SELECT g.payer, CAST(COALESCE(SUM(r.reached), 0) AS BIGINT) AS calls,
  CAST(COALESCE(SUM(r.actual), 0) AS BIGINT) AS settled,
  CAST(COALESCE(SUM(CASE WHEN r.state = 'held' THEN r.amount ELSE 0 END), 0) AS BIGINT) AS held
FROM reservation r JOIN grants g ON g.id = r.grant_id WHERE r.id >= $1 AND r.created_at >= $2 AND g.payer <> '' AND g.payer <> 'owner' GROUP BY g.payer;

-- name: AppsByPayer :many
SELECT payer, COUNT(*) AS apps FROM grants
WHERE (state = 'active' OR state = 'paused') AND expires_at > $1 AND parent_id = '' AND payer <> '' AND payer <> 'owner' GROUP BY payer;
