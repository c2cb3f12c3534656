-- +goose Up

-- SHA-256 of the cookie of the browser that opened a request for a key: no other browser answers it.
ALTER TABLE key_request ADD COLUMN browser BYTEA NOT NULL DEFAULT '';
