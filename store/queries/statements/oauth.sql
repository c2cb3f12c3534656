-- name: AddPushed :execrows
INSERT INTO pushed_request (hash, client_id, parameters, jkt, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING;

-- name: DropEndedPushed :exec
DELETE FROM pushed_request WHERE expires_at <= $1;

-- name: CountPushed :one
SELECT COUNT(*) FROM pushed_request;

-- name: TakePushed :one
DELETE FROM pushed_request WHERE hash = $1 AND client_id = $2 AND expires_at > $3 RETURNING *;

-- name: AddAuthorization :execrows
INSERT INTO authorization_request (grant_id, client_id, redirect_uri, redirect_sent, state, challenge, jkt, browser, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING;

-- name: DropOldAuthorizations :exec
DELETE FROM authorization_request
WHERE authorization_request.expires_at <= $1 OR grant_id NOT IN (SELECT id FROM grants);

-- name: Authorization :one
SELECT * FROM authorization_request WHERE grant_id = $1;

-- name: AuthorizationByCode :one
SELECT * FROM authorization_request WHERE code = $1;

-- name: SetCode :execrows
UPDATE authorization_request SET code = $1, code_until = $2 WHERE grant_id = $3 AND redeemed_at = 0;

-- name: RedeemCode :execrows
UPDATE authorization_request SET redeemed_at = $1 WHERE code = $2 AND redeemed_at = 0;

-- name: GaveForCode :execrows
UPDATE authorization_request SET given_at = $1 WHERE code = $2 AND redeemed_at <> 0 AND given_at = 0;

-- name: AddRefresh :execrows
INSERT INTO refresh_token (hash, grant_id, seq, issued_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: NextRefresh :one
SELECT CAST(COALESCE(MAX(seq), 0) + 1 AS BIGINT) AS seq FROM refresh_token WHERE grant_id = $1;

-- name: Refresh :one
SELECT * FROM refresh_token WHERE hash = $1;

-- name: UseRefresh :execrows
UPDATE refresh_token SET used_at = $1 WHERE hash = $2 AND used_at = 0;

-- name: DropOldRefresh :exec
DELETE FROM refresh_token WHERE grant_id = $1 AND seq <= $2 AND used_at <> 0;
