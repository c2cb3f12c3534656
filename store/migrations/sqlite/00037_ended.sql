-- +goose Up

-- Tokens that ended are forgotten, the oldest first.
CREATE INDEX token_end ON token (expires_at);
