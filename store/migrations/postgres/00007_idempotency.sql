-- +goose Up

-- Which call has an Idempotency-Key of a grant. Written in the transaction of the call's hold, so that no crash can leave one
-- without the other. Hashes are keyed: neither key nor body can be guessed from them.
CREATE TABLE claim (
  grant_id       TEXT COLLATE "C" NOT NULL,
  key_hash       BYTEA NOT NULL,
  body_hash      BYTEA NOT NULL,
  reservation_id TEXT COLLATE "C" NOT NULL,
  created_at     BIGINT NOT NULL,
  PRIMARY KEY (grant_id, key_hash)
);
CREATE INDEX claim_age ON claim (created_at);

-- Answers that an owner allows to be kept for a day, sealed. A whole answer or none.
CREATE TABLE answer (
  reservation_id TEXT COLLATE "C" PRIMARY KEY,
  grant_id       TEXT COLLATE "C" NOT NULL,
  sealed         BYTEA NOT NULL,
  created_at     BIGINT NOT NULL
);
CREATE INDEX answer_age ON answer (created_at, reservation_id);
CREATE INDEX answer_grant ON answer (grant_id);

ALTER TABLE grants ADD COLUMN keep_answers BIGINT NOT NULL DEFAULT 0;
