-- +goose Up

-- Devices that wait for an answer (RFC 8628). hash is the SHA-256 of the device code. The user code is no secret: without the owner's
-- session it opens nothing, and the consent page shows it.
CREATE TABLE device_code (
  hash       BYTEA PRIMARY KEY,
  user_code  TEXT COLLATE "C" NOT NULL UNIQUE,
  client_id  TEXT NOT NULL,
  grant_id   TEXT COLLATE "C" NOT NULL UNIQUE,
  jkt        TEXT NOT NULL,
  sender     TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  wait       BIGINT NOT NULL,
  polled_at  BIGINT NOT NULL,
  used       BIGINT NOT NULL
);
CREATE INDEX device_code_age ON device_code (created_at, hash);

-- Requests for a key in OpenRouter's shape. code_hash is the SHA-256 of the code that is out; empty: none.
CREATE TABLE key_request (
  grant_id   TEXT COLLATE "C" PRIMARY KEY,
  callback   TEXT NOT NULL,
  challenge  TEXT NOT NULL,
  code_hash  BYTEA NOT NULL,
  code_ends  BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  used       BIGINT NOT NULL
);
CREATE INDEX key_request_age ON key_request (created_at, grant_id);
CREATE INDEX key_request_code ON key_request (code_hash) WHERE used = 0;
