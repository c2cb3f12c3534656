-- +goose Up

-- Several people: one owner, and members whom the owner invites. All that was there is the owner's.
ALTER TABLE person ADD COLUMN role TEXT NOT NULL DEFAULT 'owner';
ALTER TABLE person ADD COLUMN suspended_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE owner_token ADD COLUMN person_id TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Whose a key is, and whose keys are lent to a grant: 'owner', or a member's id. On a grant '' is nobody: it waits for an answer.
ALTER TABLE credential ADD COLUMN payer TEXT COLLATE "C" NOT NULL DEFAULT 'owner';
ALTER TABLE grants ADD COLUMN payer TEXT COLLATE "C" NOT NULL DEFAULT 'owner';
CREATE INDEX grants_payer ON grants ((CASE payer WHEN '' THEN 'owner' ELSE payer END), created_at, id) WHERE parent_id = '';

-- Whose monthly limits the calls of a budget count on: a member's id, '' for the owner.
ALTER TABLE budget ADD COLUMN member TEXT COLLATE "C" NOT NULL DEFAULT '';
-- cap is the lower of what the person has set and what the owner lets them have; -1: not set.
ALTER TABLE ceiling ADD COLUMN own BIGINT NOT NULL DEFAULT -1;
ALTER TABLE ceiling ADD COLUMN most BIGINT NOT NULL DEFAULT -1;
UPDATE ceiling SET own = cap;

-- Links by which one person joins as a member, once. hash is the SHA-256 of the link's token.
CREATE TABLE invitation (
  hash       BYTEA PRIMARY KEY,
  label      TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
