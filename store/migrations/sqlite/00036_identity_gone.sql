-- +goose Up

-- Identities that were linked to a person and are not any more: nobody becomes a member by one of them without an invitation. hash is as in identity.
CREATE TABLE identity_gone (
  hash BLOB PRIMARY KEY,
  at   INTEGER NOT NULL
) STRICT;
