-- +goose Up

-- Identities that were linked to a person and are not any more: nobody becomes a member by one of them without an invitation. hash is as in identity.
CREATE TABLE identity_gone (
  hash BYTEA PRIMARY KEY,
  at   BIGINT NOT NULL
);
