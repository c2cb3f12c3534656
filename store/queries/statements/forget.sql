-- name: DropEndedSDKKeys :execrows
DELETE FROM sdk_key WHERE id IN (SELECT k.id FROM sdk_key k JOIN token t ON t.id = k.id WHERE t.expires_at <= $1 ORDER BY t.expires_at LIMIT $2);

-- name: DropEndedTokens :execrows
DELETE FROM token WHERE id IN (
  SELECT t.id FROM token t WHERE t.expires_at <= $1 AND NOT EXISTS (SELECT 1 FROM sdk_key k WHERE k.id = t.id) ORDER BY t.expires_at LIMIT $2);

-- name: DropEndedDeviceCodes :execrows
DELETE FROM device_code WHERE expires_at <= $1;

-- name: DropEndedKeyRequests :execrows
DELETE FROM key_request WHERE created_at <= $1;

-- name: DropSomePushed :execrows
DELETE FROM pushed_request WHERE hash IN (SELECT p.hash FROM pushed_request p WHERE p.expires_at <= $1 ORDER BY p.expires_at LIMIT $2);

-- name: DropSomeAuthorizations :execrows
DELETE FROM authorization_request WHERE grant_id IN (
  SELECT a.grant_id FROM authorization_request a WHERE a.expires_at <= $1 ORDER BY a.expires_at LIMIT $2);

-- name: EndedWithRefresh :many
SELECT g.id FROM grants g WHERE g.expires_at > 0 AND g.expires_at <= $1 AND EXISTS (SELECT 1 FROM refresh_token r WHERE r.grant_id = g.id) LIMIT $2;

-- name: DropRefreshOf :execrows
DELETE FROM refresh_token WHERE grant_id = $1;

-- name: OldTold :many
SELECT t.subject, t.kind FROM told t
WHERE (t.kind = 'grant.unusual' AND substr(t.subject, length(t.subject) - 9) < CAST($1 AS TEXT))
   OR (t.kind IN ('ceiling.near', 'ceiling.spent') AND substr(t.subject, length(t.subject) - 5) < CAST($2 AS TEXT))
   OR EXISTS (SELECT 1 FROM grants g WHERE g.expires_at > 0 AND g.expires_at <= $3
     AND g.id = CASE t.kind WHEN 'grant.first_used' THEN substr(t.subject, 1, length(t.subject) - 6) ELSE t.subject END)
LIMIT $4;

-- name: DropTold :execrows
DELETE FROM told WHERE subject = $1 AND kind = $2;
