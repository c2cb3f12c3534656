-- +goose Up

-- Which of a provider's keys is lent: the one chosen last. When its secret was replaced, and since when its provider refuses it; 0: never, not.
ALTER TABLE credential ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE credential ADD COLUMN chosen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN rotated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN refused_at INTEGER NOT NULL DEFAULT 0;
UPDATE credential SET chosen_at = created_at; -- the newest was lent

-- The key that a call was made with, and the month of its own ceiling, 'credential:<id>', that the hold took from. Calls of before name none:
-- they are on no key's ceiling.
ALTER TABLE reservation ADD COLUMN credential_id TEXT NOT NULL DEFAULT '';
ALTER TABLE reservation ADD COLUMN credential_month INTEGER NOT NULL DEFAULT 0;
