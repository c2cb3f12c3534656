-- +goose Up

-- Times are microseconds since 1970 UTC, 0 for none. Money is micro-dollars. Booleans are 0 or 1. JSON is text.

CREATE TABLE person (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  username      TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
  hash       BLOB PRIMARY KEY,
  person_id  TEXT NOT NULL REFERENCES person (id),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE owner_token (
  hash       BLOB PRIMARY KEY,
  label      TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
  id         TEXT PRIMARY KEY,
  provider   TEXT NOT NULL,
  label      TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  tested_at  INTEGER NOT NULL,
  test_error TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_key (
  id         TEXT PRIMARY KEY,
  state      TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  public     BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE grants (
  id          TEXT PRIMARY KEY,
  request_id  TEXT NOT NULL,
  version     INTEGER NOT NULL,
  state       TEXT NOT NULL,
  app_name    TEXT NOT NULL,
  app_url     TEXT NOT NULL,
  reason      TEXT NOT NULL,
  asked       TEXT NOT NULL,
  details     TEXT NOT NULL,
  secret_hash BLOB NOT NULL,
  owner_id    TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  approved_at INTEGER NOT NULL,
  revoked_at  INTEGER NOT NULL,
  notes       TEXT NOT NULL
) STRICT;
CREATE INDEX grants_created ON grants (created_at, id);

-- seq 0 is the grant's total; it alone carries status and end, so that a hold reads one row to know all.
-- seq 1 and up, one for each detail, are there only where a grant has several details.
-- settled + held may pass cap: a bill above its hold must be recordable. The hold tests the cap.
CREATE TABLE budget (
  grant_id   TEXT NOT NULL REFERENCES grants (id),
  seq        INTEGER NOT NULL CHECK (seq >= 0),
  status     TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  cap        INTEGER NOT NULL CHECK (cap >= 0),
  settled    INTEGER NOT NULL CHECK (settled >= 0),
  held       INTEGER NOT NULL CHECK (held >= 0),
  calls_cap  INTEGER NOT NULL CHECK (calls_cap >= 0),
  calls      INTEGER NOT NULL CHECK (calls >= 0),
  PRIMARY KEY (grant_id, seq)
) STRICT, WITHOUT ROWID;

-- No foreign key to grants: the hold has read the budget row of the grant in the same transaction, and it is the hot table.
CREATE TABLE reservation (
  id             TEXT PRIMARY KEY,
  grant_id       TEXT NOT NULL,
  detail         INTEGER NOT NULL CHECK (detail >= 0),
  provider       TEXT NOT NULL,
  model          TEXT NOT NULL,
  stream         INTEGER NOT NULL,
  tariff         TEXT NOT NULL,
  state          TEXT NOT NULL,
  amount         INTEGER NOT NULL CHECK (amount >= 0),
  actual         INTEGER NOT NULL DEFAULT 0 CHECK (actual >= 0),
  reached        INTEGER NOT NULL DEFAULT 1,
  why            TEXT NOT NULL DEFAULT '',
  usage_known    INTEGER NOT NULL DEFAULT 0,
  input          INTEGER NOT NULL DEFAULT 0,
  cache_read     INTEGER NOT NULL DEFAULT 0,
  cache_write    INTEGER NOT NULL DEFAULT 0,
  cache_write_1h INTEGER NOT NULL DEFAULT 0,
  output         INTEGER NOT NULL DEFAULT 0,
  reasoning      INTEGER NOT NULL DEFAULT 0,
  created_at     INTEGER NOT NULL,
  ended_at       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX reservation_grant ON reservation (grant_id, id);
CREATE INDEX reservation_open ON reservation (id) WHERE state = 'held';
CREATE INDEX reservation_ended ON reservation (ended_at) WHERE state <> 'held';

CREATE TABLE token (
  id         TEXT PRIMARY KEY,
  grant_id   TEXT NOT NULL REFERENCES grants (id),
  issued_at  INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_grant ON token (grant_id);

-- Rows are never removed, so the next seq is always above every seq there was.
CREATE TABLE event (
  seq      INTEGER PRIMARY KEY,
  id       TEXT NOT NULL,
  kind     TEXT NOT NULL,
  at       INTEGER NOT NULL,
  actor    TEXT NOT NULL,
  grant_id TEXT NOT NULL,
  note     TEXT NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
BEGIN
  SELECT RAISE(ABORT, 'an event is not changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_is_not_removed BEFORE DELETE ON event
BEGIN
  SELECT RAISE(ABORT, 'an event is not removed');
END;
-- +goose StatementEnd
