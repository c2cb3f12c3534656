-- +goose Up

-- What the owner has set: the most that all grants together may spend in a UTC month. 'person' is over everything, 'key:openai' over
-- what goes to that provider. No row: no such ceiling.
CREATE TABLE ceiling (
  id  TEXT COLLATE "C" PRIMARY KEY,
  cap BIGINT NOT NULL CHECK (cap >= 0)
);

-- What a month has on a ceiling; opened by the first hold of the month, or when the ceiling is set. settled and held are the sums of the
-- reservations that name the month. earlier is what the month had cost before the ceiling was set; those reservations name no month.
CREATE TABLE ceiling_month (
  id      TEXT COLLATE "C" NOT NULL,
  month   BIGINT NOT NULL,
  earlier BIGINT NOT NULL CHECK (earlier >= 0),
  settled BIGINT NOT NULL CHECK (settled >= 0),
  held    BIGINT NOT NULL CHECK (held >= 0),
  PRIMARY KEY (id, month)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- The months of the ceilings that a hold took from, as 202611; 0: it took from none.
ALTER TABLE reservation ADD COLUMN person_month BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reservation ADD COLUMN key_month BIGINT NOT NULL DEFAULT 0;
