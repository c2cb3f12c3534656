-- name: Claim :one
SELECT * FROM claim WHERE grant_id = $1 AND key_hash = $2;

-- name: TakeClaim :execrows
INSERT INTO claim (grant_id, key_hash, body_hash, reservation_id, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (grant_id, key_hash) DO UPDATE
SET body_hash = excluded.body_hash, reservation_id = excluded.reservation_id, created_at = excluded.created_at
WHERE claim.created_at <= $6;

-- name: FreeClaim :execrows
DELETE FROM claim WHERE grant_id = $1 AND key_hash = $2 AND reservation_id = $3;

-- name: DropOldClaims :execrows
DELETE FROM claim WHERE (grant_id, key_hash) IN (
  SELECT o.grant_id, o.key_hash FROM claim o WHERE o.created_at <= $1 ORDER BY o.created_at LIMIT $2);

-- name: KeepsAnswers :one
SELECT keep_answers FROM grants WHERE id = $1 AND state IN ('active', 'paused');

-- name: AddAnswer :exec
INSERT INTO answer (reservation_id, grant_id, sealed, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (reservation_id) DO NOTHING;

-- name: Answer :one
SELECT * FROM answer WHERE reservation_id = $1;

-- name: DropSpareAnswers :execrows
DELETE FROM answer WHERE (created_at, reservation_id) < (
  SELECT o.created_at, o.reservation_id FROM answer o ORDER BY o.created_at DESC, o.reservation_id DESC LIMIT 1 OFFSET $1);

-- name: DropOldAnswers :execrows
DELETE FROM answer WHERE created_at <= $1;

-- name: DropAnswersOf :execrows
DELETE FROM answer WHERE grant_id = $1;
