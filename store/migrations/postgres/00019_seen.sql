-- +goose Up

-- What works once and has been used: the SHA-256 of a DPoP proof's or a client assertion's jti, until when that would have worked.
CREATE TABLE seen (
  kind  TEXT COLLATE "C" NOT NULL,
  hash  BYTEA NOT NULL,
  until BIGINT NOT NULL,
  PRIMARY KEY (kind, hash)
);
CREATE INDEX seen_until ON seen (until);
