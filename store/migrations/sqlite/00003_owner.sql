-- +goose Up

-- Which instance made a hold, and at which turn of its lease: for Postgres, where several have one database. Not used here.
ALTER TABLE reservation ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE reservation ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
