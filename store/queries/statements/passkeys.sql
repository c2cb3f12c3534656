-- name: AddPasskey :execrows
INSERT INTO passkey (id, person_id, public_key, sign_count, transports, eligible, backed_up, label, created_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0) ON CONFLICT (id) DO NOTHING;

-- name: Passkeys :many
SELECT * FROM passkey WHERE person_id = $1 ORDER BY created_at, id LIMIT $2;

-- name: CountPasskeys :one
SELECT COUNT(*) FROM passkey;

-- name: UsePasskey :execrows
-- The counter goes on, or the passkey has none: it is 0 for ever (WebAuthn Level 3 §6.1.1).
UPDATE passkey SET sign_count = $1, backed_up = $2, used_at = $3 WHERE id = $4 AND (sign_count < $1 OR sign_count = 0 AND $1 = 0);

-- name: RenamePasskey :execrows
UPDATE passkey SET label = $1 WHERE id = $2 AND person_id = $3;

-- name: RemovePasskey :execrows
DELETE FROM passkey WHERE id = $1 AND person_id = $2;

-- name: Sessions :many
SELECT * FROM session WHERE person_id = $1 ORDER BY created_at DESC, hash LIMIT $2;

-- name: SeeSession :exec
UPDATE session SET seen_at = $1 WHERE hash = $2 AND seen_at < $1;

-- name: RemoveSessionOf :execrows
DELETE FROM session WHERE hash = $1 AND person_id = $2;

-- name: RemoveOtherSessions :execrows
DELETE FROM session WHERE person_id = $1 AND hash <> $2;
