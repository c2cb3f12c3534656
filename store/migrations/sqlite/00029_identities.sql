-- +goose Up

-- At which OpenID provider a person is known as whom. hash is the SHA-256 of issuer and subject, which name an identity; the e-mail address
-- is what was said of it when it was linked, for the person to recognise it.
CREATE TABLE identity (
  hash      BLOB PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id),
  issuer    TEXT NOT NULL,
  subject   TEXT NOT NULL,
  email     TEXT NOT NULL,
  linked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX identity_person ON identity (person_id);
