-- +goose Up

-- Credentials by which people sign in (WebAuthn). Booleans are 0 or 1.
CREATE TABLE passkey (
  id         BYTEA PRIMARY KEY,
  person_id  TEXT COLLATE "C" NOT NULL REFERENCES person (id),
  public_key BYTEA NOT NULL,
  sign_count BIGINT NOT NULL,
  transports TEXT COLLATE "C" NOT NULL,
  eligible   BIGINT NOT NULL,
  backed_up  BIGINT NOT NULL,
  label      TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL
);
CREATE INDEX passkey_person ON passkey (person_id);

-- Which browser a session is of, from where it was begun, and when it was last seen.
ALTER TABLE session ADD COLUMN agent TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN address TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
