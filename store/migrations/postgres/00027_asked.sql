-- +goose Up
-- The list of apps: what was narrowed from another stands below that one, however much of it there is.
CREATE INDEX grants_asked ON grants (created_at, id) WHERE parent_id = '';
DROP INDEX grants_created;
