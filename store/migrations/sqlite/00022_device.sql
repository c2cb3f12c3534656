-- +goose Up

-- Devices that wait for an answer (RFC 8628). hash is the SHA-256 of the device code. The user code is no secret: without the owner's
-- session it opens nothing, and the consent page shows it.
CREATE TABLE device_code (
  hash       BLOB PRIMARY KEY,
  user_code  TEXT NOT NULL UNIQUE,
  client_id  TEXT NOT NULL,
  grant_id   TEXT NOT NULL UNIQUE,
  jkt        TEXT NOT NULL,
  sender     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  wait       INTEGER NOT NULL,
  polled_at  INTEGER NOT NULL,
  used       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX device_code_age ON device_code (created_at, hash);

-- Requests for a key in OpenRouter's shape. code_hash is the SHA-256 of the code that is out; empty: none.
CREATE TABLE key_request (
  grant_id   TEXT PRIMARY KEY,
  callback   TEXT NOT NULL,
  challenge  TEXT NOT NULL,
  code_hash  BLOB NOT NULL,
  code_ends  INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  used       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX key_request_age ON key_request (created_at, grant_id);
CREATE INDEX key_request_code ON key_request (code_hash) WHERE used = 0;
