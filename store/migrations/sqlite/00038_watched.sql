-- +goose Up

-- Grants that can spend are no longer gone over each minute: a look is at those that spent.
DROP INDEX grants_watched;
