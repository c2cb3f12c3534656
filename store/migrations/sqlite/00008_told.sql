-- +goose Up

-- What a grant, or a month of a ceiling, was told of already: once, until its cap is changed.
CREATE TABLE told (
  subject TEXT NOT NULL,
  kind    TEXT NOT NULL,
  PRIMARY KEY (subject, kind)
) STRICT, WITHOUT ROWID;

-- What the owner reads of a grant. Calls and tokens, the many, are not in it. Not NOT IN: SQLite would make a table in memory for the list
-- at each insert of an event, two of them a call.
CREATE INDEX event_grant ON event (grant_id, seq) WHERE kind <> 'call.held' AND kind <> 'call.settled' AND kind <> 'token.issued';
