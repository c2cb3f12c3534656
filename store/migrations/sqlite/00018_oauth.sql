-- +goose Up

-- Authorization requests that clients pushed (RFC 9126). hash is the SHA-256 of the request_uri; a row is taken by removing it.
CREATE TABLE pushed_request (
  hash       BLOB PRIMARY KEY,
  client_id  TEXT NOT NULL,
  parameters TEXT NOT NULL,
  jkt        TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pushed_request_end ON pushed_request (expires_at);

-- How a grant that was asked for at the authorization endpoint is answered. browser and code are SHA-256 hashes; code is NULL until there
-- is one.
CREATE TABLE authorization_request (
  grant_id      TEXT PRIMARY KEY,
  client_id     TEXT NOT NULL,
  redirect_uri  TEXT NOT NULL,
  redirect_sent INTEGER NOT NULL,
  state         TEXT NOT NULL,
  challenge     TEXT NOT NULL,
  jkt           TEXT NOT NULL,
  browser       BLOB NOT NULL,
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  code          BLOB UNIQUE,
  code_until    INTEGER NOT NULL DEFAULT 0,
  redeemed_at   INTEGER NOT NULL DEFAULT 0,
  given_at      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_request_end ON authorization_request (expires_at);

-- Refresh tokens, by their SHA-256. Used ones stay for a while: one that comes again is known to be stolen.
CREATE TABLE refresh_token (
  hash      BLOB PRIMARY KEY,
  grant_id  TEXT NOT NULL REFERENCES grants (id),
  seq       INTEGER NOT NULL,
  issued_at INTEGER NOT NULL,
  used_at   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_token_grant ON refresh_token (grant_id, seq);
