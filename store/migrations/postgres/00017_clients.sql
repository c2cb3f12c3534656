-- +goose Up

-- The OAuth client that asked, where its access goes, the key it is bound to, and what the grant was narrowed from or adds to.
ALTER TABLE grants ADD COLUMN client_id TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN site TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN checked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN parent_id TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN extends_id TEXT NOT NULL DEFAULT '';
CREATE INDEX grants_parent ON grants (parent_id) WHERE parent_id <> '';
