-- +goose Up

-- What a grant, or a month of a ceiling, was told of already: once, until its cap is changed.
CREATE TABLE told (
  subject TEXT COLLATE "C" NOT NULL,
  kind    TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (subject, kind)
);

-- What the owner reads of a grant. Calls and tokens, the many, are not in it.
CREATE INDEX event_grant ON event (grant_id, seq) WHERE kind NOT IN ('call.held', 'call.settled', 'token.issued');

-- store.TellPassed in SQL: whoever settles moves a budget, and this stands behind each such move, in its transaction. The condition of
-- the trigger costs nothing below the mark. The time is that of the settlement: it was written before the budget moved.
-- +goose StatementBegin
CREATE FUNCTION tell_passed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  r RECORD;
BEGIN
  FOR r IN
    SELECT * FROM (VALUES
      ('grant.near_cap', NEW.cap > 0 AND NEW.settled >= NEW.cap - NEW.cap / 5, NEW.settled >= NEW.cap, dollars(NEW.settled) || ' of ' || dollars(NEW.cap) || ' is spent'),
      ('grant.spent', NEW.cap > 0 AND NEW.settled >= NEW.cap, FALSE, 'all of ' || dollars(NEW.cap) || ' is spent'),
      ('grant.near_calls', NEW.calls_cap > 0 AND NEW.calls >= NEW.calls_cap - NEW.calls_cap / 5, NEW.calls >= NEW.calls_cap, NEW.calls || ' of ' || NEW.calls_cap || ' calls are used'),
      ('grant.calls_spent', NEW.calls_cap > 0 AND NEW.calls >= NEW.calls_cap, FALSE, 'all ' || NEW.calls_cap || ' calls are used')
    ) v (kind, passed, quiet, note) WHERE v.passed
  LOOP
    INSERT INTO told (subject, kind) VALUES (NEW.grant_id, r.kind) ON CONFLICT DO NOTHING;
    IF FOUND AND NOT r.quiet THEN
      INSERT INTO event (id, kind, at, actor, grant_id, note)
        SELECT NEW.grant_id || ':' || r.kind || ':' || NEW.cap || ':' || NEW.settled || ':' || NEW.calls, r.kind, coalesce(max(v.ended_at), 0), 'broker', NEW.grant_id, r.note
          FROM reservation v WHERE v.grant_id = NEW.grant_id AND v.state <> 'held';
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER budget_passes AFTER UPDATE ON budget FOR EACH ROW
  WHEN (NEW.seq = 0 AND (NEW.settled > OLD.settled OR NEW.held < OLD.held)
    AND (NEW.settled >= NEW.cap - NEW.cap / 5 OR NEW.calls >= NEW.calls_cap - NEW.calls_cap / 5))
  EXECUTE FUNCTION tell_passed();

-- store.TellPassedCeilings in SQL.
-- +goose StatementBegin
CREATE FUNCTION tell_passed_ceiling() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  r RECORD; most BIGINT; spent BIGINT := NEW.earlier + NEW.settled; head TEXT := 'limit a month, ' || NEW.id || ', ' || NEW.month || ': ';
BEGIN
  SELECT cap INTO most FROM ceiling WHERE id = NEW.id;
  IF most IS NULL THEN RETURN NULL; END IF;
  FOR r IN
    SELECT * FROM (VALUES
      ('ceiling.near', most > 0 AND spent >= most - most / 5, spent >= most, head || dollars(spent) || ' of ' || dollars(most) || ' is spent'),
      ('ceiling.spent', most > 0 AND spent >= most, FALSE, head || 'all of ' || dollars(most) || ' is spent')
    ) v (kind, passed, quiet, note) WHERE v.passed
  LOOP
    INSERT INTO told (subject, kind) VALUES (NEW.id || '/' || NEW.month, r.kind) ON CONFLICT DO NOTHING;
    IF FOUND AND NOT r.quiet THEN
      INSERT INTO event (id, kind, at, actor, grant_id, note)
        SELECT NEW.id || '/' || NEW.month || ':' || r.kind || ':' || most || ':' || spent, r.kind, coalesce(max(v.ended_at), 0), 'broker', '', r.note
          FROM reservation v WHERE v.state <> 'held';
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER ceiling_passes AFTER UPDATE ON ceiling_month FOR EACH ROW WHEN (NEW.settled > OLD.settled) EXECUTE FUNCTION tell_passed_ceiling();
