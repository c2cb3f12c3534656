-- +goose Up

-- The owner's webhook: one row or none. holder is the instance that sends, until holder_until.
CREATE TABLE webhook (
  id           TEXT PRIMARY KEY,
  site         TEXT NOT NULL,
  sealed       BYTEA NOT NULL,
  created_at   BIGINT NOT NULL,
  tries        BIGINT NOT NULL DEFAULT 0,
  next_at      BIGINT NOT NULL DEFAULT 0,
  last_at      BIGINT NOT NULL DEFAULT 0,
  last_kind    TEXT NOT NULL DEFAULT '',
  last_error   TEXT NOT NULL DEFAULT '',
  holder       TEXT NOT NULL DEFAULT '',
  holder_until BIGINT NOT NULL DEFAULT 0
);

-- Events that the webhook is still to be told of. Written in the transaction of the event, removed when its delivery is over.
CREATE TABLE delivery (
  event_id TEXT COLLATE "C" PRIMARY KEY,
  kind     TEXT NOT NULL,
  at       BIGINT NOT NULL,
  actor    TEXT NOT NULL,
  grant_id TEXT NOT NULL,
  note     TEXT NOT NULL
);
CREATE INDEX delivery_order ON delivery (at, event_id);

-- What the functions of the ledger write by themselves. Other events are put among the deliveries by store.AddEvent.
-- +goose StatementBegin
CREATE FUNCTION deliver_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO delivery (event_id, kind, at, actor, grant_id, note)
    SELECT NEW.id, NEW.kind, NEW.at, NEW.actor, NEW.grant_id, NEW.note FROM webhook
    ON CONFLICT (event_id) DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER event_is_delivered AFTER INSERT ON event FOR EACH ROW
  WHEN (NEW.kind IN ('grant.frozen', 'grant.near_cap', 'grant.spent', 'grant.near_calls', 'grant.calls_spent', 'ceiling.near', 'ceiling.spent'))
  EXECUTE FUNCTION deliver_event();
