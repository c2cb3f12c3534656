-- name: PutNotice :exec
INSERT INTO notice (subject, kind, id, payer, at, note) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (subject, kind) DO UPDATE SET id = excluded.id, payer = excluded.payer, at = excluded.at, note = excluded.note;

-- name: RemoveNotice :exec
DELETE FROM notice WHERE subject = $1 AND kind = $2;

-- name: RemoveNoticesOf :exec
DELETE FROM notice WHERE subject = $1;

-- name: Notices :many
SELECT * FROM notice WHERE payer = $1 ORDER BY at DESC, id DESC LIMIT $2;

-- name: DismissNotice :exec
DELETE FROM notice WHERE payer = $1 AND id = $2;

-- name: DismissNotices :exec
DELETE FROM notice WHERE payer = $1 AND at <= $2;

-- name: PayerOfGrant :one
SELECT payer FROM grants WHERE id = $1;

-- name: PayerOfCredential :one
SELECT payer FROM credential WHERE id = $1;
