-- +goose Up

-- An SDK key stands for a token that its holder never sees: that row has its grant, its end and whether it is revoked. hash is the
-- SHA-256 of the key; start is the beginning of it that is shown.
CREATE TABLE sdk_key (
  id       TEXT COLLATE "C" PRIMARY KEY REFERENCES token (id),
  grant_id TEXT COLLATE "C" NOT NULL REFERENCES grants (id),
  hash     BYTEA NOT NULL UNIQUE,
  name     TEXT NOT NULL,
  start    TEXT NOT NULL,
  used_at  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX sdk_key_grant ON sdk_key (grant_id, id);

-- The setting changes with each SDK key that is revoked by itself: other instances look which of their calls that ends.
-- +goose StatementBegin
CREATE FUNCTION tell_sdk_key() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('aipassport', 'sdk key');
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER sdk_key_revoked AFTER INSERT OR UPDATE ON setting FOR EACH ROW WHEN (NEW.name = 'sdk_key_revoked') EXECUTE FUNCTION tell_sdk_key();
