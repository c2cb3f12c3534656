-- +goose Up

-- A grant that was narrowed from another: what is above it, for its calls; and on its budgets, where they are counted besides.
ALTER TABLE grants ADD COLUMN above TEXT NOT NULL DEFAULT '';
ALTER TABLE budget ADD COLUMN parent_id TEXT NOT NULL DEFAULT '';
ALTER TABLE budget ADD COLUMN parent_seq INTEGER NOT NULL DEFAULT 0;
