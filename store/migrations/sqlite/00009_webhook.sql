-- +goose Up

-- The owner's webhook: one row or none. holder is the instance that sends, until holder_until.
CREATE TABLE webhook (
  id           TEXT PRIMARY KEY,
  site         TEXT NOT NULL,
  sealed       BLOB NOT NULL,
  created_at   INTEGER NOT NULL,
  tries        INTEGER NOT NULL DEFAULT 0,
  next_at      INTEGER NOT NULL DEFAULT 0,
  last_at      INTEGER NOT NULL DEFAULT 0,
  last_kind    TEXT NOT NULL DEFAULT '',
  last_error   TEXT NOT NULL DEFAULT '',
  holder       TEXT NOT NULL DEFAULT '',
  holder_until INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Events that the webhook is still to be told of. Written in the transaction of the event, removed when its delivery is over.
CREATE TABLE delivery (
  event_id TEXT PRIMARY KEY,
  kind     TEXT NOT NULL,
  at       INTEGER NOT NULL,
  actor    TEXT NOT NULL,
  grant_id TEXT NOT NULL,
  note     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_order ON delivery (at, event_id);
