-- +goose Up

-- An SDK key stands for a token that its holder never sees: that row has its grant, its end and whether it is revoked. hash is the
-- SHA-256 of the key; start is the beginning of it that is shown.
CREATE TABLE sdk_key (
  id       TEXT PRIMARY KEY REFERENCES token (id),
  grant_id TEXT NOT NULL REFERENCES grants (id),
  hash     BLOB NOT NULL UNIQUE,
  name     TEXT NOT NULL,
  start    TEXT NOT NULL,
  used_at  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX sdk_key_grant ON sdk_key (grant_id, id);
