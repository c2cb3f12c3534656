-- +goose Up
-- What a call used of sound, images and hosted tools, told apart: each has a price of its own.
ALTER TABLE reservation ADD COLUMN input_audio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reservation ADD COLUMN input_image INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reservation ADD COLUMN cache_audio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reservation ADD COLUMN cache_image INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reservation ADD COLUMN output_audio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reservation ADD COLUMN output_image INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reservation ADD COLUMN searches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reservation ADD COLUMN file_searches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reservation ADD COLUMN audio_seconds INTEGER NOT NULL DEFAULT 0;
