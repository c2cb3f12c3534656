-- +goose Up

-- What several instances share beside the ledger: who counts the calls of a minute, and who hears that a grant ended. SQLite has no 00004:
-- one instance has nobody to share with.

-- The calls of the last minute of one detail, as guard/meter remembers them in memory: in at most 64 batches, oldest first. Batch i
-- has the id ids[i], calls[i] calls and the time of its last one, lasts[i]. UNLOGGED: no call waits for a disk because of it, and a crash
-- of the server forgets it, as a restart of a broker forgets what it kept in memory. No money depends on it.
CREATE UNLOGGED TABLE rate (
  grant_id TEXT NOT NULL,
  detail   BIGINT NOT NULL,
  next     BIGINT NOT NULL,
  ids      BIGINT[] NOT NULL,
  lasts    BIGINT[] NOT NULL,
  calls    BIGINT[] NOT NULL,
  PRIMARY KEY (grant_id, detail)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- take_rates counts calls, in order, of details that are sorted (the only order of locks there is): p_limit is how many calls a
-- minute may have, or -1 to give back one that was counted in batch p_batch. o_batch is where a call was counted, 0 if it was
-- refused; o_wait then says for how many microseconds. Time is this server's, read once a detail after its lock, or p_now where a
-- test brings a clock of its own.
-- +goose StatementBegin
CREATE FUNCTION take_rates(p_grant TEXT[], p_detail BIGINT[], p_limit BIGINT[], p_batch BIGINT[], p_now BIGINT,
  OUT o_batch BIGINT[], OUT o_wait BIGINT[]) LANGUAGE plpgsql AS $$
DECLARE
  c_window CONSTANT BIGINT := 60000000;
  c_most   CONSTANT INT := 64;
  n INT := cardinality(p_grant);
  i INT := 1;
  j INT;
  len INT;
  v_grant TEXT;
  v_detail BIGINT;
  v_next BIGINT;
  v_ids BIGINT[];
  v_lasts BIGINT[];
  v_calls BIGINT[];
  v_now BIGINT;
  v_sum BIGINT;
  v_left BIGINT;
BEGIN
  o_batch := array_fill(0::BIGINT, ARRAY[n]);
  o_wait := o_batch;
  WHILE i <= n LOOP
    v_grant := p_grant[i];
    v_detail := p_detail[i];
    -- 1. The row of the detail, locked; made where there is none.
    LOOP
      SELECT r.next, r.ids, r.lasts, r.calls INTO v_next, v_ids, v_lasts, v_calls
        FROM rate r WHERE r.grant_id = v_grant AND r.detail = v_detail FOR NO KEY UPDATE;
      EXIT WHEN FOUND;
      v_now := coalesce(p_now, (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT);
      INSERT INTO rate (grant_id, detail, next, ids, lasts, calls) VALUES (v_grant, v_detail, v_now, '{}', '{}', '{}')
        ON CONFLICT DO NOTHING;
    END LOOP;
    v_now := coalesce(p_now, (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT);
    -- 2. Forget what no longer counts. Where the clock went back, the newest batch is of this moment.
    len := cardinality(v_ids);
    IF len > 0 AND v_lasts[len] > v_now THEN
      v_left := v_lasts[len] - v_now;
      FOR j IN 1..len LOOP v_lasts[j] := v_lasts[j] - v_left; END LOOP;
    END IF;
    j := 1;
    WHILE j <= len AND v_now - v_lasts[j] >= c_window LOOP j := j + 1; END LOOP;
    IF j > 1 THEN
      v_ids := v_ids[j:len];
      v_lasts := v_lasts[j:len];
      v_calls := v_calls[j:len];
      len := len - j + 1;
    END IF;
    v_sum := 0;
    FOR j IN 1..len LOOP v_sum := v_sum + v_calls[j]; END LOOP;
    -- 3. The calls of the detail, in order.
    WHILE i <= n AND p_grant[i] = v_grant AND p_detail[i] = v_detail LOOP
      IF p_limit[i] < 0 THEN
        j := array_position(v_ids, p_batch[i]);
        IF j IS NOT NULL THEN
          v_sum := v_sum - 1;
          v_calls[j] := v_calls[j] - 1;
          IF v_calls[j] = 0 THEN
            v_ids := v_ids[1:j-1] || v_ids[j+1:len];
            v_lasts := v_lasts[1:j-1] || v_lasts[j+1:len];
            v_calls := v_calls[1:j-1] || v_calls[j+1:len];
            len := len - 1;
          END IF;
        END IF;
      ELSIF v_sum >= p_limit[i] THEN
        o_wait[i] := c_window;
        v_left := v_sum;
        FOR j IN 1..len LOOP
          v_left := v_left - v_calls[j];
          IF v_left < p_limit[i] THEN
            o_wait[i] := v_lasts[j] + c_window - v_now;
            EXIT;
          END IF;
        END LOOP;
      ELSE
        v_sum := v_sum + 1;
        IF len > 0 AND (v_calls[len] < (p_limit[i] + c_most - 1) / c_most OR len = c_most) THEN
          v_calls[len] := v_calls[len] + 1;
          v_lasts[len] := v_now;
        ELSE
          v_next := v_next + 1;
          len := len + 1;
          v_ids[len] := v_next;
          v_lasts[len] := v_now;
          v_calls[len] := 1;
        END IF;
        o_batch[i] := v_ids[len];
      END IF;
      i := i + 1;
    END LOOP;
    -- 4. Each row once.
    UPDATE rate r SET next = v_next, ids = v_ids, lasts = v_lasts, calls = v_calls WHERE r.grant_id = v_grant AND r.detail = v_detail;
  END LOOP;
END $$;
-- +goose StatementEnd

-- Whoever ends something tells all instances, in the transaction that ends it: revoke, pause, freeze, a change of a grant of any
-- kind, a stop of all apps, a change of keys. A hold and a settle touch none of these tables: pg_notify takes a lock that all commits
-- with a notification share.
-- +goose StatementBegin
CREATE FUNCTION tell_grant() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('aipassport', 'grant ' || NEW.id || ' ' || NEW.state);
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER grant_changed AFTER UPDATE OF state ON grants FOR EACH ROW WHEN (NEW.state <> 'active' AND NEW.state <> OLD.state)
  EXECUTE FUNCTION tell_grant();

-- +goose StatementBegin
CREATE FUNCTION tell_stopped() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('aipassport', 'stopped');
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER apps_stopped AFTER INSERT ON setting FOR EACH ROW WHEN (NEW.name = 'apps_stopped') EXECUTE FUNCTION tell_stopped();

-- +goose StatementBegin
CREATE FUNCTION tell_keys() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('aipassport', 'keys');
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER keys_changed AFTER INSERT OR UPDATE OR DELETE ON signing_key FOR EACH STATEMENT EXECUTE FUNCTION tell_keys();
CREATE TRIGGER keys_changed AFTER INSERT OR DELETE ON credential FOR EACH STATEMENT EXECUTE FUNCTION tell_keys();
