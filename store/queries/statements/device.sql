-- name: AddDeviceCode :execrows
INSERT INTO device_code (hash, user_code, client_id, grant_id, jkt, sender, created_at, expires_at, wait, polled_at, used)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING;

-- name: DropOldDeviceCodes :exec
DELETE FROM device_code WHERE (created_at, hash) < (
  SELECT created_at, hash FROM device_code ORDER BY created_at DESC, hash DESC LIMIT 1 OFFSET $1);

-- name: DropUserCode :exec
DELETE FROM device_code WHERE user_code = $1 AND expires_at <= $2;

-- name: DeviceCode :one
SELECT * FROM device_code WHERE hash = $1;

-- name: DeviceCodeOfUser :one
SELECT * FROM device_code WHERE user_code = $1;

-- name: DeviceCodeOfGrant :one
SELECT * FROM device_code WHERE grant_id = $1;

-- name: PollDeviceCode :execrows
UPDATE device_code SET polled_at = $1, wait = $2 WHERE hash = $3 AND polled_at = $4 AND used = 0;

-- name: TakeDeviceCode :execrows
UPDATE device_code SET used = 1 WHERE hash = $1 AND used = 0;

-- name: AddKeyRequest :execrows
INSERT INTO key_request (grant_id, callback, challenge, code_hash, code_ends, created_at, used, browser)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING;

-- name: DropOldKeyRequests :exec
DELETE FROM key_request WHERE (created_at, grant_id) < (
  SELECT created_at, grant_id FROM key_request ORDER BY created_at DESC, grant_id DESC LIMIT 1 OFFSET $1);

-- name: KeyRequest :one
SELECT * FROM key_request WHERE grant_id = $1;

-- name: PutKeyCode :execrows
UPDATE key_request SET code_hash = $1, code_ends = $2 WHERE grant_id = $3 AND used = 0;

-- name: KeyRequestOfCode :one
SELECT * FROM key_request WHERE code_hash = $1 AND used = 0;

-- name: TakeKeyCode :execrows
UPDATE key_request SET used = 1 WHERE code_hash = $1 AND used = 0;
