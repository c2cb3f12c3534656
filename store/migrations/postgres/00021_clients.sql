-- +goose Up

-- OAuth clients that registered themselves or were registered by the owner. Those that are known by their metadata document are not
-- stored. redirect_uris and jwks are JSON; secret_hash and manage_hash are SHA-256, empty for none.
CREATE TABLE client (
  id            TEXT COLLATE "C" PRIMARY KEY,
  kind          TEXT NOT NULL,
  name          TEXT NOT NULL,
  uri           TEXT NOT NULL,
  redirect_uris TEXT NOT NULL,
  auth          TEXT NOT NULL,
  secret_hash   BYTEA NOT NULL,
  jwks          TEXT NOT NULL,
  jwks_uri      TEXT NOT NULL,
  dpop          BIGINT NOT NULL,
  manage_hash   BYTEA NOT NULL,
  created_at    BIGINT NOT NULL,
  used_at       BIGINT NOT NULL
);
CREATE INDEX client_kind ON client (kind, created_at);
CREATE INDEX grants_client ON grants (client_id) WHERE client_id <> '';
