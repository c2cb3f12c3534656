-- +goose Up

-- What works once and has been used: the SHA-256 of a DPoP proof's or a client assertion's jti, until when that would have worked.
CREATE TABLE seen (
  kind  TEXT NOT NULL,
  hash  BLOB NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (kind, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_until ON seen (until);
