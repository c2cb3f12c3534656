-- +goose Up

-- The webhook is the owner's: what members gave is not told to it. As store.deliver has it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION deliver_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO delivery (event_id, kind, at, actor, grant_id, note)
    SELECT NEW.id, NEW.kind, NEW.at, NEW.actor, NEW.grant_id, NEW.note FROM webhook
     WHERE NOT EXISTS (SELECT 1 FROM grants g WHERE g.id = NEW.grant_id AND g.payer NOT IN ('', 'owner'))
    ON CONFLICT (event_id) DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
