-- +goose Up

-- Authorization requests that clients pushed (RFC 9126). hash is the SHA-256 of the request_uri; a row is taken by removing it.
CREATE TABLE pushed_request (
  hash       BYTEA PRIMARY KEY,
  client_id  TEXT COLLATE "C" NOT NULL,
  parameters TEXT NOT NULL,
  jkt        TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX pushed_request_end ON pushed_request (expires_at);

-- How a grant that was asked for at the authorization endpoint is answered. browser and code are SHA-256 hashes; code is NULL until there
-- is one.
CREATE TABLE authorization_request (
  grant_id      TEXT COLLATE "C" PRIMARY KEY,
  client_id     TEXT COLLATE "C" NOT NULL,
  redirect_uri  TEXT NOT NULL,
  redirect_sent BIGINT NOT NULL,
  state         TEXT NOT NULL,
  challenge     TEXT NOT NULL,
  jkt           TEXT NOT NULL,
  browser       BYTEA NOT NULL,
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  code          BYTEA UNIQUE,
  code_until    BIGINT NOT NULL DEFAULT 0,
  redeemed_at   BIGINT NOT NULL DEFAULT 0,
  given_at      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX authorization_request_end ON authorization_request (expires_at);

-- Refresh tokens, by their SHA-256. Used ones stay for a while: one that comes again is known to be stolen.
CREATE TABLE refresh_token (
  hash      BYTEA PRIMARY KEY,
  grant_id  TEXT COLLATE "C" NOT NULL REFERENCES grants (id),
  seq       BIGINT NOT NULL,
  issued_at BIGINT NOT NULL,
  used_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX refresh_token_grant ON refresh_token (grant_id, seq);
