-- +goose Up

-- At which OpenID provider a person is known as whom. hash is the SHA-256 of issuer and subject, which name an identity; the e-mail address
-- is what was said of it when it was linked, for the person to recognise it.
CREATE TABLE identity (
  hash      BYTEA PRIMARY KEY,
  person_id TEXT COLLATE "C" NOT NULL REFERENCES person (id),
  issuer    TEXT COLLATE "C" NOT NULL,
  subject   TEXT COLLATE "C" NOT NULL,
  email     TEXT COLLATE "C" NOT NULL,
  linked_at BIGINT NOT NULL
);
CREATE INDEX identity_person ON identity (person_id);
