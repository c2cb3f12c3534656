-- +goose Up

-- Providers that the owner has added: servers that speak OpenAI's dialect. headers and models are JSON.
CREATE TABLE compatible (
  name       TEXT PRIMARY KEY,
  version    INTEGER NOT NULL CHECK (version > 0),
  title      TEXT NOT NULL,
  preset     TEXT NOT NULL,
  base       TEXT NOT NULL,
  local      INTEGER NOT NULL,
  auth       TEXT NOT NULL,
  headers    TEXT NOT NULL,
  models     TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
