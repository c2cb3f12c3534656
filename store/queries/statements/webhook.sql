-- name: Webhook :one
SELECT * FROM webhook WHERE id = 'owner';

-- name: SetWebhook :exec
INSERT INTO webhook (id, site, sealed, created_at) VALUES ('owner', $1, $2, $3)
ON CONFLICT (id) DO UPDATE SET site = excluded.site, sealed = excluded.sealed, created_at = excluded.created_at,
  tries = 0, next_at = 0, last_at = 0, last_kind = '', last_error = '';

-- name: RemoveWebhook :execrows
DELETE FROM webhook WHERE id = 'owner';

-- name: RemoveDeliveries :execrows
DELETE FROM delivery;

-- name: HurryDelivery :execrows
UPDATE webhook SET next_at = 0 WHERE id = 'owner';

-- name: AddDelivery :exec
INSERT INTO delivery (event_id, kind, at, actor, grant_id, note) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO NOTHING;

-- name: HasWebhook :one
SELECT COUNT(*) FROM webhook;

-- name: CountDeliveries :one
SELECT COUNT(*) FROM delivery;

-- name: OldestDelivery :one
SELECT * FROM delivery ORDER BY at, event_id LIMIT 1;

-- name: HoldWebhook :execrows
UPDATE webhook SET holder = $1, holder_until = $2
WHERE id = 'owner' AND next_at <= $3 AND (holder = $1 OR holder_until <= $3);

-- name: NoteDelivery :execrows
UPDATE webhook SET tries = $1, next_at = $2, last_at = $3, last_kind = $4, last_error = $5, holder_until = 0 WHERE id = 'owner' AND holder = $6;

-- name: RemoveDelivery :execrows
DELETE FROM delivery WHERE event_id = $1;
