-- +goose Up

-- The tables of sqlite/00001 in Postgres' words. Times are microseconds since 1970 UTC, 0 for none. Money is micro-dollars. Booleans
-- are 0 or 1. JSON is text. Ids are compared byte by byte (COLLATE "C"), whatever the database's language is: lists go by them.

CREATE TABLE person (
  id            TEXT COLLATE "C" PRIMARY KEY,
  name          TEXT NOT NULL,
  username      TEXT COLLATE "C" NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  created_at    BIGINT NOT NULL
);

CREATE TABLE session (
  hash       BYTEA PRIMARY KEY,
  person_id  TEXT COLLATE "C" NOT NULL REFERENCES person (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE TABLE owner_token (
  hash       BYTEA PRIMARY KEY,
  label      TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE TABLE credential (
  id         TEXT COLLATE "C" PRIMARY KEY,
  provider   TEXT NOT NULL,
  label      TEXT NOT NULL,
  sealed     BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  tested_at  BIGINT NOT NULL,
  test_error TEXT NOT NULL
);

CREATE TABLE signing_key (
  id         TEXT COLLATE "C" PRIMARY KEY,
  state      TEXT NOT NULL,
  sealed     BYTEA NOT NULL,
  public     BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE setting (
  name  TEXT COLLATE "C" PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE grants (
  id          TEXT COLLATE "C" PRIMARY KEY,
  request_id  TEXT NOT NULL,
  version     BIGINT NOT NULL,
  state       TEXT NOT NULL,
  app_name    TEXT NOT NULL,
  app_url     TEXT NOT NULL,
  reason      TEXT NOT NULL,
  asked       TEXT NOT NULL,
  details     TEXT NOT NULL,
  secret_hash BYTEA NOT NULL,
  owner_id    TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  approved_at BIGINT NOT NULL,
  revoked_at  BIGINT NOT NULL,
  notes       TEXT NOT NULL
);
CREATE INDEX grants_created ON grants (created_at, id);

-- seq 0 is the grant's total; it alone carries status and end, so that a hold needs no other table: a status that is joined from
-- another one is read at the statement's snapshot, and a hold that waited for a revoke would slip in behind it.
-- seq 1 and up, one for each detail, are there only where a grant has several details, without gaps.
-- settled + held may pass cap: a bill above its hold must be recordable. The hold tests the cap.
-- Half of each page is left free, and no index but the key: then an update stays on its page (HOT). Rows die with each batch, so
-- vacuum goes by their number, not by a share of the table.
CREATE TABLE budget (
  grant_id   TEXT COLLATE "C" NOT NULL REFERENCES grants (id),
  seq        BIGINT NOT NULL CHECK (seq >= 0),
  status     TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  cap        BIGINT NOT NULL CHECK (cap >= 0),
  settled    BIGINT NOT NULL CHECK (settled >= 0),
  held       BIGINT NOT NULL CHECK (held >= 0),
  calls_cap  BIGINT NOT NULL CHECK (calls_cap >= 0),
  calls      BIGINT NOT NULL CHECK (calls >= 0),
  PRIMARY KEY (grant_id, seq)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- No foreign key to grants: the hold has locked the budget row of the grant in the same transaction, and it is the hot table.
CREATE TABLE reservation (
  id             TEXT COLLATE "C" PRIMARY KEY,
  grant_id       TEXT COLLATE "C" NOT NULL,
  detail         BIGINT NOT NULL CHECK (detail >= 0),
  provider       TEXT NOT NULL,
  model          TEXT NOT NULL,
  stream         BIGINT NOT NULL,
  tariff         TEXT NOT NULL,
  state          TEXT NOT NULL,
  amount         BIGINT NOT NULL CHECK (amount >= 0),
  actual         BIGINT NOT NULL DEFAULT 0 CHECK (actual >= 0),
  reached        BIGINT NOT NULL DEFAULT 1,
  why            TEXT NOT NULL DEFAULT '',
  usage_known    BIGINT NOT NULL DEFAULT 0,
  input          BIGINT NOT NULL DEFAULT 0,
  cache_read     BIGINT NOT NULL DEFAULT 0,
  cache_write    BIGINT NOT NULL DEFAULT 0,
  cache_write_1h BIGINT NOT NULL DEFAULT 0,
  output         BIGINT NOT NULL DEFAULT 0,
  reasoning      BIGINT NOT NULL DEFAULT 0,
  created_at     BIGINT NOT NULL,
  ended_at       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX reservation_grant ON reservation (grant_id, id);
CREATE INDEX reservation_ended ON reservation (ended_at) WHERE state <> 'held';

CREATE TABLE token (
  id         TEXT COLLATE "C" PRIMARY KEY,
  grant_id   TEXT COLLATE "C" NOT NULL REFERENCES grants (id),
  issued_at  BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL
);
CREATE INDEX token_grant ON token (grant_id);

-- seq is given when a row is written, not when it is committed: of two transactions at the same time the lower one may be seen later.
-- Events of one grant that change its money are in order, because its budget row is locked meanwhile.
CREATE TABLE event (
  seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id       TEXT NOT NULL,
  kind     TEXT NOT NULL,
  at       BIGINT NOT NULL,
  actor    TEXT NOT NULL,
  grant_id TEXT COLLATE "C" NOT NULL,
  note     TEXT NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION event_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'an event is not changed or removed';
END $$;
-- +goose StatementEnd
CREATE TRIGGER event_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON event EXECUTE FUNCTION event_stays();
