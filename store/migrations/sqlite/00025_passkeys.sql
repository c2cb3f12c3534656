-- +goose Up

-- Credentials by which people sign in (WebAuthn). Booleans are 0 or 1.
CREATE TABLE passkey (
  id         BLOB PRIMARY KEY,
  person_id  TEXT NOT NULL REFERENCES person (id),
  public_key BLOB NOT NULL,
  sign_count INTEGER NOT NULL,
  transports TEXT NOT NULL,
  eligible   INTEGER NOT NULL,
  backed_up  INTEGER NOT NULL,
  label      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX passkey_person ON passkey (person_id);

-- Which browser a session is of, from where it was begun, and when it was last seen.
ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
