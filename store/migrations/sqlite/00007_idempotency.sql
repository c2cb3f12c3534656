-- +goose Up

-- Which call has an Idempotency-Key of a grant. Written in the transaction of the call's hold, so that no crash can leave one
-- without the other. Hashes are keyed: neither key nor body can be guessed from them.
CREATE TABLE claim (
  grant_id       TEXT NOT NULL,
  key_hash       BLOB NOT NULL,
  body_hash      BLOB NOT NULL,
  reservation_id TEXT NOT NULL,
  created_at     INTEGER NOT NULL,
  PRIMARY KEY (grant_id, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_age ON claim (created_at);

-- Answers that an owner allows to be kept for a day, sealed. A whole answer or none.
CREATE TABLE answer (
  reservation_id TEXT PRIMARY KEY,
  grant_id       TEXT NOT NULL,
  sealed         BLOB NOT NULL,
  created_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX answer_age ON answer (created_at, reservation_id);
CREATE INDEX answer_grant ON answer (grant_id);

ALTER TABLE grants ADD COLUMN keep_answers INTEGER NOT NULL DEFAULT 0;
