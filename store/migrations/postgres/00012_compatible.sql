-- +goose Up

-- Providers that the owner has added: servers that speak OpenAI's dialect. headers and models are JSON.
CREATE TABLE compatible (
  name       TEXT COLLATE "C" PRIMARY KEY,
  version    BIGINT NOT NULL CHECK (version > 0),
  title      TEXT NOT NULL,
  preset     TEXT NOT NULL,
  base       TEXT NOT NULL,
  local      BIGINT NOT NULL,
  auth       TEXT NOT NULL,
  headers    TEXT NOT NULL,
  models     TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE TRIGGER keys_changed AFTER INSERT OR UPDATE OR DELETE ON compatible FOR EACH STATEMENT EXECUTE FUNCTION tell_keys();
