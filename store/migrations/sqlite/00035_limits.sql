-- +goose Up

-- Whose monthly limits the hold took from: a member's id, '' for the owner. Calls of before are on the owner's, whoever gave them.
ALTER TABLE reservation ADD COLUMN member TEXT NOT NULL DEFAULT '';

-- Whom an event that is about no grant is for, besides who did it: 'owner', or a member's id; '': the owner, if no person did it.
ALTER TABLE event ADD COLUMN payer TEXT NOT NULL DEFAULT '';
