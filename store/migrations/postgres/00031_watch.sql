-- +goose Up

-- What a grant had spent at a time, as the look of each minute finds it: where that has changed, at most one in ten minutes, and fewer the
-- older they are. Plots of a grant are drawn from it, and unusual spending is told by it. No call waits for it.
CREATE TABLE spent_mark (
  grant_id TEXT COLLATE "C" NOT NULL,
  at       BIGINT NOT NULL,
  settled  BIGINT NOT NULL,
  PRIMARY KEY (grant_id, at)
);

-- Grants that a person gave and that can still spend, by their end.
CREATE INDEX grants_watched ON grants (expires_at, id) WHERE state IN ('active', 'paused') AND parent_id = '';

-- What was used before there was such a look is not used for the first time after it.
INSERT INTO told (subject, kind) SELECT grant_id || '/first', 'grant.first_used' FROM budget WHERE seq = 0 AND calls > 0 ON CONFLICT DO NOTHING;

-- What the owner is to see until they have seen it, written with its event: one for each subject (a grant, or a provider key by the note of its
-- events) and kind, the newest. payer is whose it is.
CREATE TABLE notice (
  subject TEXT COLLATE "C" NOT NULL,
  kind    TEXT COLLATE "C" NOT NULL,
  id      TEXT COLLATE "C" NOT NULL,
  payer   TEXT COLLATE "C" NOT NULL,
  at      BIGINT NOT NULL,
  note    TEXT NOT NULL,
  PRIMARY KEY (subject, kind)
);
CREATE INDEX notice_payer ON notice (payer, at, id);

-- The tokens of a grant that have not ended.
CREATE INDEX token_ends ON token (grant_id, expires_at);
