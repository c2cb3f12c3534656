-- +goose Up
-- What ended since some time is found by the ids, which begin with their time: a settle has one index less to write.
DROP INDEX reservation_ended;
