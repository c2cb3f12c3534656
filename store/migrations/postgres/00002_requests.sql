-- +goose Up

-- Requests that nobody has answered: the oldest give way to new ones when there are too many.
CREATE INDEX grants_pending ON grants (created_at, id) WHERE state = 'pending';
