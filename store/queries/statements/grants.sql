-- name: AddGrant :execrows
INSERT INTO grants (id, request_id, version, state, app_name, app_url, reason, asked, details, secret_hash, owner_id,
  created_at, expires_at, approved_at, revoked_at, notes, keep_answers, client_id, site, checked, jkt, parent_id, actor, extends_id, above, payer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
ON CONFLICT (id) DO NOTHING;

-- name: DropOldRequests :execrows
DELETE FROM grants WHERE state = 'pending' AND (created_at, id) < (
  SELECT created_at, id FROM grants WHERE state = 'pending' ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $1);

-- name: ChangeGrant :execrows
UPDATE grants SET request_id = $1, version = $2, state = $3, app_name = $4, app_url = $5, reason = $6, asked = $7, details = $8,
  secret_hash = $9, owner_id = $10, created_at = $11, expires_at = $12, approved_at = $13, revoked_at = $14, notes = $15,
  keep_answers = $16, client_id = $17, site = $18, checked = $19, jkt = $20, parent_id = $21, actor = $22, extends_id = $23, payer = $24
WHERE id = $25 AND version = $26;

-- name: FreezeGrant :execrows
UPDATE grants SET state = 'paused', version = version + 1 WHERE id = $1 AND state = 'active';

-- name: Grant :one
SELECT * FROM grants WHERE id = $1;

-- name: GrantsBefore :many
SELECT * FROM grants WHERE CASE payer WHEN '' THEN 'owner' ELSE payer END = $1 AND created_at < $2 AND parent_id = '' ORDER BY created_at DESC, id DESC LIMIT $3;

-- name: GrantPayer :one
SELECT payer FROM grants WHERE id = $1;

-- name: OpenBudget :exec
INSERT INTO budget (grant_id, seq, status, expires_at, cap, settled, held, calls_cap, calls, member)
VALUES ($1, $2, $3, $4, $5, 0, 0, $6, 0, $7);

-- name: OpenChildBudget :exec
INSERT INTO budget (grant_id, seq, status, expires_at, cap, settled, held, calls_cap, calls, parent_id, parent_seq, member)
VALUES ($1, $2, $3, $4, $5, 0, 0, $6, 0, $7, $8, $9);

-- name: ChildrenAlive :one
SELECT COUNT(*) FROM grants WHERE parent_id = $1 AND parent_id <> '' AND state IN ('active', 'paused') AND expires_at > $2;

-- name: Below :many
WITH RECURSIVE below (id) AS (
  SELECT c.id FROM grants c WHERE c.parent_id = $1 AND c.parent_id <> '' AND c.state IN ('active', 'paused') AND c.expires_at > $2
  UNION ALL
  SELECT d.id FROM grants d JOIN below b ON d.parent_id = b.id WHERE d.parent_id <> '' AND d.state IN ('active', 'paused') AND d.expires_at > $3)
SELECT CAST(below.id AS TEXT) AS id FROM below ORDER BY 1 LIMIT $4;

-- name: AboveOf :one
SELECT above FROM grants WHERE id = $1;

-- name: SetAbove :execrows
UPDATE grants SET above = $1 WHERE id = $2;

-- name: RevokeBelow :execrows
UPDATE grants SET state = 'revoked', version = version + 1, revoked_at = $1 WHERE id = $2 AND state IN ('active', 'paused');

-- name: Children :many
SELECT * FROM grants WHERE parent_id = $1 AND parent_id <> '' ORDER BY created_at DESC, id DESC LIMIT $2;

-- name: ParentOf :one
SELECT parent_id, parent_seq FROM budget WHERE grant_id = $1 AND (seq = 0 OR seq = $2) ORDER BY seq DESC LIMIT 1;

-- name: ChangeBudget :execrows
UPDATE budget SET status = $1, expires_at = $2, cap = $3, calls_cap = $4 WHERE grant_id = $5 AND seq = $6;

-- name: SetBudgetStatus :execrows
UPDATE budget SET status = $1 WHERE grant_id = $2 AND seq = 0;

-- name: BudgetsOfPayer :many
SELECT grant_id FROM budget WHERE member = $1 AND seq = 0 AND status = $2 ORDER BY grant_id;

-- name: SetBudgetsOfPayer :exec
UPDATE budget SET status = $1 WHERE member = $2 AND status = $3;

-- name: Budgets :many
SELECT * FROM budget WHERE grant_id = $1 ORDER BY seq;

-- name: BudgetsOfMany :many
SELECT b.* FROM budget b
JOIN (SELECT id FROM grants WHERE CASE payer WHEN '' THEN 'owner' ELSE payer END = $1 AND created_at < $2 AND parent_id = '' ORDER BY created_at DESC, id DESC LIMIT $3) g ON g.id = b.grant_id
ORDER BY b.grant_id, b.seq;

-- name: Setting :one
SELECT value FROM setting WHERE name = $1;

-- name: AddSetting :exec
INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING;

-- name: PutSetting :exec
INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: RemoveSetting :exec
DELETE FROM setting WHERE name = $1;

-- name: AddEvent :exec
INSERT INTO event (id, kind, at, actor, grant_id, note, payer) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: EventsAfter :many
SELECT * FROM event WHERE seq > $1 ORDER BY seq LIMIT $2;

-- name: RemoveSettingsUpTo :exec
DELETE FROM setting WHERE name LIKE $1 AND value <= $2;

-- name: RemoveResets :exec
DELETE FROM setting WHERE name LIKE 'reset:%' AND (value < CAST(sqlc.arg(until) AS TEXT) OR value LIKE '% ' || CAST(sqlc.arg(who) AS TEXT));
