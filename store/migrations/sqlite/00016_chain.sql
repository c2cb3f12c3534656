-- +goose Up
-- A hold writes one row and a settle rewrites it, and each index that has a part of it is a page more in every commit: that of the grants
-- one for each grant that calls. So a call names the one before it of its grant, and the grant's first budget the newest. What ended
-- since some time is found by the ids, which begin with their time.
ALTER TABLE reservation ADD COLUMN prev TEXT NOT NULL DEFAULT '';
ALTER TABLE budget ADD COLUMN last TEXT NOT NULL DEFAULT '';
UPDATE reservation SET prev = COALESCE((SELECT MAX(p.id) FROM reservation p WHERE p.grant_id = reservation.grant_id AND p.id < reservation.id), '');
UPDATE budget SET last = COALESCE((SELECT MAX(r.id) FROM reservation r WHERE r.grant_id = budget.grant_id), '') WHERE seq = 0;
DROP INDEX reservation_grant;
DROP INDEX reservation_ended;
