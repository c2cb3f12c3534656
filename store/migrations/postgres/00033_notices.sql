-- +goose Up

-- What the functions of the ledger write by themselves leaves a notice here. Other events leave theirs by store.AddEvent, which finds these there
-- and says the same.
-- +goose StatementBegin
CREATE FUNCTION notice_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM notice WHERE subject = NEW.grant_id AND kind = CASE NEW.kind WHEN 'grant.spent' THEN 'grant.near_cap' WHEN 'grant.calls_spent' THEN 'grant.near_calls' END;
  INSERT INTO notice (subject, kind, id, payer, at, note)
    SELECT NEW.grant_id, NEW.kind, NEW.id, CASE payer WHEN '' THEN 'owner' ELSE payer END, NEW.at, NEW.note FROM grants WHERE id = NEW.grant_id
    ON CONFLICT (subject, kind) DO UPDATE SET id = excluded.id, payer = excluded.payer, at = excluded.at, note = excluded.note;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER event_is_noticed AFTER INSERT ON event FOR EACH ROW
  WHEN (NEW.kind IN ('grant.near_cap', 'grant.spent', 'grant.near_calls', 'grant.calls_spent'))
  EXECUTE FUNCTION notice_event();
