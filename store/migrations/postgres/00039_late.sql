-- +goose Up

-- apply_batch, as 00035 has it, but for what comes late: a call that held nothing, was charged that by recovery, and never left is given back;
-- and a bill above its hold is counted on months that were opened when recovery had charged the hold, as what they had cost before.
-- +goose StatementBegin
-- month_of is the UTC month of microseconds, as passport.MonthOf has it.
CREATE FUNCTION month_of(at BIGINT) RETURNS BIGINT LANGUAGE sql STABLE AS $$
  SELECT to_char(to_timestamp(floor(at / 1000000.0)) AT TIME ZONE 'UTC', 'YYYYMM')::BIGINT
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION apply_batch(
  p_owner TEXT, p_epoch BIGINT, p_retry BOOLEAN, p_grants TEXT[],
  h_id TEXT[], h_g INT[], h_detail INT[], h_amount BIGINT[], h_least BIGINT[], h_at BIGINT[], h_stream BIGINT[], h_provider TEXT[], h_model TEXT[], h_tariff TEXT[], h_tail TEXT[], h_month BIGINT[],
  s_id TEXT[], s_g INT[], s_why TEXT[], s_number BIGINT[], p_family BOOLEAN, h_credential TEXT[],
  OUT h_res SMALLINT[], OUT h_got BIGINT[], OUT s_res SMALLINT[],
  OUT b_g INT[], OUT b_seq BIGINT[], OUT b_number BIGINT[], OUT b_status TEXT[],
  OUT m_id TEXT[], OUT m_month BIGINT[], OUT m_number BIGINT[], OUT g_id TEXT[], OUT g_up INT[], OUT b_up BIGINT[], OUT g_member TEXT[]
) LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  nh INT := cardinality(h_id); ns INT := cardinality(s_id); nb INT;
  width CONSTANT INT := 19;          -- numbers of a settle: actual, reached, at, known, then usage
  v_cap BIGINT[]; v_settled BIGINT[]; v_held BIGINT[]; v_calls_cap BIGINT[]; v_calls BIGINT[]; v_ends BIGINT[]; v_status TEXT[];
  dh BIGINT[]; ds BIGINT[]; dn BIGINT[]; touched BOOLEAN[];
  top INT[]; bottom INT[];           -- of each grant: its first and last row here, 0 for none
  v_parent TEXT[];                   -- of each row: the grant that its own was narrowed from, '' for none
  v_member TEXT[];                   -- of each row: whose limits its calls count on, '' for the owner
  c_person TEXT; c_key TEXT; c_cred TEXT;  -- the ceilings of one call
  g INT; live BOOLEAN;
  s_amount BIGINT[]; frozen TEXT[]; f_o INT[]; f_g INT[];  -- settles above their hold, and the grants that each of them freezes
  m_cap BIGINT[]; m_earlier BIGINT[]; m_settled BIGINT[]; m_held BIGINT[]; nm INT := 0;    -- cap: NULL where the ceiling is not set (any more)
  want_id TEXT[]; want_month BIGINT[];
  h_person BIGINT[]; h_key BIGINT[]; h_own BIGINT[];  -- the months that a hold takes from, 0 for none
  v_person INT; v_key INT; v_cred INT; v_left BIGINT; v_own BIGINT; fits BOOLEAN;
  stopped BOOLEAN; fenced BOOLEAN;
  r RECORD; i INT; k INT; d INT; j INT; a BIGINT; room BIGINT;
BEGIN
  h_res := array_fill(0::SMALLINT, ARRAY[nh]); h_got := array_fill(0::BIGINT, ARRAY[nh]);
  s_res := array_fill(0::SMALLINT, ARRAY[ns]); s_amount := array_fill(0::BIGINT, ARRAY[ns]);
  h_person := array_fill(0::BIGINT, ARRAY[nh]); h_key := h_person; h_own := h_person;

  -- 1. A stop of all apps waits until batches that did not see it are committed; those behind it see it. So does a ceiling that is set
  -- or removed: while it takes up the open holds, nothing of them moves.
  IF nh > 0 THEN
    PERFORM pg_advisory_xact_lock_shared(hashtext('aipassport.stop'));
  END IF;
  PERFORM pg_advisory_xact_lock_shared(hashtext('aipassport.ceilings'));

  -- 2. Lock the budgets of all grants concerned, and read them. With p_family those above them too, in the one order.
  g_id := p_grants;
  IF p_family THEN
    SELECT array_agg(l.id ORDER BY l.n, l.id) INTO g_id FROM (
      WITH RECURSIVE line (id, n) AS (
        SELECT u.id COLLATE "C", u.o FROM unnest(p_grants) WITH ORDINALITY u (id, o)
        UNION ALL
        SELECT b.parent_id, (1::BIGINT << 40) FROM line l JOIN budget b ON b.grant_id = l.id AND b.seq = 0 WHERE b.parent_id <> '')
      SELECT id, min(n) AS n FROM line GROUP BY id) l;
  END IF;
  SELECT array_agg(b.o), array_agg(b.seq), array_agg(b.cap), array_agg(b.settled), array_agg(b.held), array_agg(b.calls_cap),
         array_agg(b.calls), array_agg(b.expires_at), array_agg(b.status), array_agg(b.parent_id), array_agg(b.parent_seq),
         array_agg(b.member)
    INTO b_g, b_seq, v_cap, v_settled, v_held, v_calls_cap, v_calls, v_ends, v_status, v_parent, b_up, v_member
    FROM (SELECT u.o::INT, x.seq, x.cap, x.settled, x.held, x.calls_cap, x.calls, x.expires_at, x.status, x.parent_id, x.parent_seq, x.member
            FROM unnest(g_id) WITH ORDINALITY u (g, o) JOIN budget x ON x.grant_id = u.g
           ORDER BY x.grant_id, x.seq FOR NO KEY UPDATE OF x) b;
  nb := coalesce(cardinality(b_g), 0);
  top := array_fill(0, ARRAY[cardinality(g_id)]); bottom := top; g_up := top; g_member := array_fill(''::TEXT, ARRAY[cardinality(g_id)]);
  FOR i IN 1..nb LOOP
    IF b_seq[i] = 0 THEN top[b_g[i]] := i; g_member[b_g[i]] := v_member[i]; END IF;
    bottom[b_g[i]] := i;
    IF v_parent[i] <> '' THEN
      k := array_position(g_id, v_parent[i]);
      -- What is above a grant must be locked with it, before anything: so the batch is asked for again.
      IF k IS NULL THEN RAISE EXCEPTION 'grant % was narrowed from another', g_id[b_g[i]] USING ERRCODE = 'AIP01'; END IF;
      g_up[b_g[i]] := k;
    END IF;
  END LOOP;
  dh := array_fill(0::BIGINT, ARRAY[nb]); ds := dh; dn := dh; touched := array_fill(FALSE, ARRAY[nb]);

  -- 2b. The months of ceilings: those that the holds will take from, opened if they are new, and those that the settled holds took from.
  IF nh > 0 AND EXISTS (SELECT 1 FROM ceiling) THEN
    INSERT INTO ceiling_month (id, month, earlier, settled, held)
      SELECT DISTINCT c.id, t.month, 0, 0, 0 FROM (SELECT h.month, h.provider, h.credential, g_member[h.g] AS member
                FROM unnest(h_month, h_provider, h_credential, h_g) h (month, provider, credential, g)) t
        JOIN ceiling c ON c.id IN (rtrim('person:' || t.member, ':'), rtrim('key:' || t.provider || ':' || t.member, ':'), 'credential:' || t.credential)
       ORDER BY c.id, t.month ON CONFLICT DO NOTHING;
  END IF;
  IF EXISTS (SELECT 1 FROM ceiling_month) THEN
    SELECT array_agg(w.id), array_agg(w.month) INTO want_id, want_month FROM (
      SELECT c.id, t.month FROM (SELECT h.month, h.provider, h.credential, g_member[h.g] AS member
                FROM unnest(h_month, h_provider, h_credential, h_g) h (month, provider, credential, g)) t
        JOIN ceiling c ON c.id IN (rtrim('person:' || t.member, ':'), rtrim('key:' || t.provider || ':' || t.member, ':'), 'credential:' || t.credential)
      UNION SELECT rtrim('person:' || member, ':'), person_month FROM reservation WHERE id = ANY (s_id) AND person_month <> 0
      UNION SELECT rtrim('key:' || provider || ':' || member, ':'), key_month FROM reservation WHERE id = ANY (s_id) AND key_month <> 0
      UNION SELECT 'credential:' || credential_id, credential_month FROM reservation WHERE id = ANY (s_id) AND credential_month <> 0
      UNION SELECT c.id, month_of(v.created_at)
        FROM reservation v CROSS JOIN LATERAL (VALUES (rtrim('person:' || v.member, ':'), v.person_month),
               (rtrim('key:' || v.provider || ':' || v.member, ':'), v.key_month), ('credential:' || v.credential_id, v.credential_month)) c (id, month)
       WHERE v.id = ANY (s_id) AND v.state = 'swept' AND c.month = 0) w (id, month);
    SELECT array_agg(b.id), array_agg(b.month), array_agg(b.earlier), array_agg(b.settled), array_agg(b.held),
           array_agg((SELECT c.cap FROM ceiling c WHERE c.id = b.id))
      INTO m_id, m_month, m_earlier, m_settled, m_held, m_cap
      FROM (SELECT x.id, x.month, x.earlier, x.settled, x.held
              FROM unnest(want_id, want_month) u (id, month) JOIN ceiling_month x ON x.id = u.id AND x.month = u.month
             ORDER BY x.id, x.month FOR NO KEY UPDATE OF x) b;
    nm := coalesce(cardinality(m_id), 0);
  END IF;

  -- 3. The fence: an instance that a peer has declared dead holds nothing more. Its settles are still heard.
  stopped := EXISTS (SELECT 1 FROM setting WHERE name = 'apps_stopped');
  fenced := NOT EXISTS (SELECT 1 FROM instance WHERE id = p_owner AND epoch = p_epoch AND lease_until > clock_timestamp())
    -- One that does not say which key it lends cannot hold where a key has a ceiling of its own.
    OR (h_credential IS NULL AND EXISTS (SELECT 1 FROM ceiling WHERE id >= 'credential:' AND id < 'credential;'));

  -- 4. Settles: held becomes settled exactly once, whoever says it first.
  IF ns > 0 THEN
    FOR r IN
      UPDATE reservation v SET state = 'settled', actual = u.actual, reached = s_number[u.n + 2], ended_at = s_number[u.n + 3], why = u.why,
             usage_known = s_number[u.n + 4], input = s_number[u.n + 5], cache_read = s_number[u.n + 6], cache_write = s_number[u.n + 7],
             cache_write_1h = s_number[u.n + 8], input_audio = s_number[u.n + 9], input_image = s_number[u.n + 10],
             cache_audio = s_number[u.n + 11], cache_image = s_number[u.n + 12], output = s_number[u.n + 13], reasoning = s_number[u.n + 14],
             output_audio = s_number[u.n + 15], output_image = s_number[u.n + 16], searches = s_number[u.n + 17],
             file_searches = s_number[u.n + 18], audio_seconds = s_number[u.n + 19]
        FROM (SELECT t.id, t.g, t.why, t.o::INT, (t.o::INT - 1) * width AS n, s_number[(t.o::INT - 1) * width + 1] AS actual
                FROM unnest(s_id, s_g, s_why) WITH ORDINALITY t (id, g, why, o)) u
       WHERE v.id = u.id AND v.grant_id = p_grants[u.g] AND v.state = 'held'
      RETURNING u.o, u.g, v.detail::INT AS detail, v.amount, v.actual, v.reached, v.provider, v.credential_id, v.person_month, v.key_month, v.credential_month, v.member
    LOOP
      IF nm > 0 THEN
        c_person := rtrim('person:' || r.member, ':'); c_key := rtrim('key:' || r.provider || ':' || r.member, ':'); c_cred := 'credential:' || r.credential_id;
      END IF;
      FOR j IN 1..nm LOOP
        IF (m_id[j] = c_person AND m_month[j] = r.person_month) OR (m_id[j] = c_key AND m_month[j] = r.key_month)
          OR (m_id[j] = c_cred AND m_month[j] = r.credential_month) THEN
          m_held[j] := m_held[j] - r.amount; m_settled[j] := m_settled[j] + r.actual;
        END IF;
      END LOOP;
      s_res[r.o] := 1; s_amount[r.o] := r.amount;
      IF r.actual > r.amount THEN s_res[r.o] := 3; END IF;
      g := r.g; k := top[g]; d := k;
      IF bottom[g] > k THEN d := k + r.detail + 1; END IF;
      LOOP
        IF r.actual > r.amount THEN frozen := frozen || g_id[g]; f_o := f_o || r.o; f_g := f_g || g; END IF;
        dh[k] := dh[k] - r.amount; ds[k] := ds[k] + r.actual; dn[k] := dn[k] + r.reached - 1; touched[k] := TRUE;
        IF d > k THEN
          dh[d] := dh[d] - r.amount; ds[d] := ds[d] + r.actual; dn[d] := dn[d] + r.reached - 1; touched[d] := TRUE;
        END IF;
        EXIT WHEN g_up[g] = 0;
        g := g_up[g]; k := top[g]; d := k + b_up[d];
      END LOOP;
    END LOOP;
    -- What a peer or a start has charged in full is corrected by the settle that comes after all, once: to less, or to a bill above the
    -- hold, which freezes as one in time does. A call that never left is given back, also where it had held nothing.
    IF 0 = ANY (s_res) THEN
      FOR r IN
        UPDATE reservation v SET state = 'settled', actual = u.actual, reached = s_number[u.n + 2], ended_at = s_number[u.n + 3], why = u.why,
               usage_known = s_number[u.n + 4], input = s_number[u.n + 5], cache_read = s_number[u.n + 6], cache_write = s_number[u.n + 7],
               cache_write_1h = s_number[u.n + 8], input_audio = s_number[u.n + 9], input_image = s_number[u.n + 10],
               cache_audio = s_number[u.n + 11], cache_image = s_number[u.n + 12], output = s_number[u.n + 13], reasoning = s_number[u.n + 14],
               output_audio = s_number[u.n + 15], output_image = s_number[u.n + 16], searches = s_number[u.n + 17],
               file_searches = s_number[u.n + 18], audio_seconds = s_number[u.n + 19]
          FROM (SELECT t.id, t.g, t.why, t.o::INT, (t.o::INT - 1) * width AS n, s_number[(t.o::INT - 1) * width + 1] AS actual
                  FROM unnest(s_id, s_g, s_why, s_res) WITH ORDINALITY t (id, g, why, res, o) WHERE t.res = 0) u
         WHERE v.id = u.id AND v.grant_id = p_grants[u.g] AND v.state = 'swept' AND (u.actual <> v.amount OR s_number[u.n + 2] = 0)
        RETURNING u.o, u.g, v.detail::INT AS detail, v.amount, v.actual, v.reached, v.provider, v.credential_id, v.person_month, v.key_month, v.credential_month, v.member, month_of(v.created_at) AS month
      LOOP
        IF nm > 0 THEN
          c_person := rtrim('person:' || r.member, ':'); c_key := rtrim('key:' || r.provider || ':' || r.member, ':'); c_cred := 'credential:' || r.credential_id;
        END IF;
        FOR j IN 1..nm LOOP
          IF (m_id[j] = c_person AND m_month[j] = r.person_month) OR (m_id[j] = c_key AND m_month[j] = r.key_month)
            OR (m_id[j] = c_cred AND m_month[j] = r.credential_month) THEN
            m_settled[j] := m_settled[j] + r.actual - r.amount;
          -- What was opened since counts the hold as earlier, and the bill above it as well.
          ELSIF r.actual > r.amount AND m_month[j] = r.month AND ((m_id[j] = c_person AND r.person_month = 0) OR (m_id[j] = c_key AND r.key_month = 0)
            OR (m_id[j] = c_cred AND r.credential_month = 0)) THEN
            m_earlier[j] := m_earlier[j] + r.actual - r.amount;
          END IF;
        END LOOP;
        s_res[r.o] := 2; s_amount[r.o] := r.amount;
        IF r.actual > r.amount THEN s_res[r.o] := 4; END IF;
        g := r.g; k := top[g]; d := k;
        IF bottom[g] > k THEN d := k + r.detail + 1; END IF;
        LOOP
          IF r.actual > r.amount THEN frozen := frozen || g_id[g]; f_o := f_o || r.o; f_g := f_g || g; END IF;
          ds[k] := ds[k] + r.actual - r.amount; dn[k] := dn[k] + r.reached - 1; touched[k] := TRUE;
          IF d > k THEN
            ds[d] := ds[d] + r.actual - r.amount; dn[d] := dn[d] + r.reached - 1; touched[d] := TRUE;
          END IF;
          EXIT WHEN g_up[g] = 0;
          g := g_up[g]; k := top[g]; d := k + b_up[d];
        END LOOP;
      END LOOP;
    END IF;
    -- A bill above its hold pauses the grant, and all above it, in the same transaction.
    IF frozen IS NOT NULL THEN
      FOR r IN
        UPDATE grants SET state = 'paused', version = version + 1 WHERE id = ANY (frozen) AND state = 'active' RETURNING id
      LOOP
        v_status[top[array_position(g_id, r.id)]] := 'paused';
      END LOOP;
    END IF;
  END IF;

  -- 5. What the caller is told of the budgets is what they are before the holds: it does the sums of step 7 again, for its words.
  b_number := array_fill(0::BIGINT, ARRAY[nb * 6]); b_status := v_status;
  FOR i IN 1..nb LOOP
    v_settled[i] := v_settled[i] + ds[i]; v_held[i] := v_held[i] + dh[i]; v_calls[i] := v_calls[i] + dn[i];
    k := i * 6;
    b_number[k - 5] := v_cap[i]; b_number[k - 4] := v_settled[i]; b_number[k - 3] := v_held[i];
    b_number[k - 2] := v_calls_cap[i]; b_number[k - 1] := v_calls[i]; b_number[k] := v_ends[i];
  END LOOP;
  m_number := '{}';
  FOR j IN 1..nm LOOP
    m_number := m_number || ARRAY[coalesce(m_cap[j], -1), m_earlier[j], m_settled[j], m_held[j]];
  END LOOP;

  IF nh > 0 THEN
    -- 6. Ids that are there: sent before and committed, if this is a retry; else taken by another call.
    FOR r IN
      SELECT u.o::INT, v.state, v.amount, v.grant_id = p_grants[u.g] AS same
        FROM unnest(h_id, h_g) WITH ORDINALITY u (id, g, o) JOIN reservation v ON v.id = u.id
    LOOP
      h_res[r.o] := CASE WHEN p_retry AND r.same AND r.state IN ('held', 'swept') THEN 2 ELSE -4 END;
      h_got[r.o] := r.amount;
    END LOOP;

    -- 7. Holds in the order they came in, each on every row of its path or on none: the rules of store.Admit
    -- and then, for ceilings, of store.AdmitCeilings.
    FOR i IN 1..nh LOOP
      CONTINUE WHEN h_res[i] <> 0;
      k := top[h_g[i]]; d := k;
      IF fenced THEN h_res[i] := -3; CONTINUE; END IF;
      IF stopped THEN h_res[i] := -2; CONTINUE; END IF;
      IF k = 0 THEN h_res[i] := -1; CONTINUE; END IF;
      IF v_status[k] <> 'active' OR v_ends[k] <= h_at[i] THEN h_res[i] := -5; CONTINUE; END IF;
      IF bottom[h_g[i]] > k THEN d := k + h_detail[i] + 1; END IF;
      IF d > bottom[h_g[i]] OR (d = k AND h_detail[i] > 0) THEN h_res[i] := -6; CONTINUE; END IF;
      live := TRUE; g := h_g[i];
      WHILE g_up[g] > 0 LOOP
        g := g_up[g];
        IF v_status[top[g]] <> 'active' OR v_ends[top[g]] <= h_at[i] THEN live := FALSE; EXIT; END IF;
      END LOOP;
      IF NOT live THEN h_res[i] := -5; CONTINUE; END IF;
      a := h_amount[i]; fits := TRUE; g := h_g[i];
      LOOP
        room := greatest(0, v_cap[k] - v_settled[k] - v_held[k]);
        IF v_calls[k] >= v_calls_cap[k] OR room < h_least[i] OR (room = 0 AND h_amount[i] > 0) THEN fits := FALSE; EXIT; END IF;
        a := least(a, room);
        IF d > k THEN
          room := greatest(0, v_cap[d] - v_settled[d] - v_held[d]);
          IF v_calls[d] >= v_calls_cap[d] OR room < h_least[i] OR (room = 0 AND h_amount[i] > 0) THEN fits := FALSE; EXIT; END IF;
          a := least(a, room);
        END IF;
        EXIT WHEN g_up[g] = 0;
        g := g_up[g]; k := top[g]; d := k + b_up[d];
      END LOOP;
      CONTINUE WHEN NOT fits;
      -- k and d are those of the grant that a person gave: what all below it hold together is its share of a ceiling.
      v_person := 0; v_key := 0; v_cred := 0;
      IF nm > 0 THEN
        c_person := rtrim('person:' || g_member[h_g[i]], ':'); c_key := rtrim('key:' || h_provider[i] || ':' || g_member[h_g[i]], ':');
      END IF;
      FOR j IN 1..nm LOOP
        CONTINUE WHEN m_cap[j] IS NULL OR m_month[j] <> h_month[i];
        IF m_id[j] = c_person THEN v_person := j; v_own := v_held[k];
        ELSIF m_id[j] = c_key THEN v_key := j; v_own := v_held[d];
        ELSIF m_id[j] = 'credential:' || h_credential[i] THEN v_cred := j; v_own := v_held[d];
        ELSE CONTINUE; END IF;
        v_left := greatest(0, m_cap[j] - m_earlier[j] - m_settled[j] - m_held[j]);
        room := greatest(0, (v_left - v_own) / 2);
        IF room < h_least[i] OR (room = 0 AND h_amount[i] > 0) THEN fits := FALSE; END IF;
        a := least(a, room);
      END LOOP;
      CONTINUE WHEN NOT fits;
      IF v_person > 0 THEN m_held[v_person] := m_held[v_person] + a; h_person[i] := h_month[i]; END IF;
      IF v_key > 0 THEN m_held[v_key] := m_held[v_key] + a; h_key[i] := h_month[i]; END IF;
      IF v_cred > 0 THEN m_held[v_cred] := m_held[v_cred] + a; h_own[i] := h_month[i]; END IF;
      g := h_g[i]; k := top[g]; d := k;
      IF bottom[g] > k THEN d := k + h_detail[i] + 1; END IF;
      LOOP
        IF d > k THEN
          v_held[d] := v_held[d] + a; v_calls[d] := v_calls[d] + 1; touched[d] := TRUE;
        END IF;
        v_held[k] := v_held[k] + a; v_calls[k] := v_calls[k] + 1; touched[k] := TRUE;
        EXIT WHEN g_up[g] = 0;
        g := g_up[g]; k := top[g]; d := k + b_up[d];
      END LOOP;
      h_res[i] := 1; h_got[i] := a;
    END LOOP;
  END IF;

  -- 8. Each budget and month once, then reservations, and the events of what is out of the ordinary.
  UPDATE budget x SET held = t.held, settled = t.settled, calls = t.calls, status = t.status
    FROM unnest(b_g, b_seq, v_held, v_settled, v_calls, v_status, touched) t (g, seq, held, settled, calls, status, touched)
   WHERE t.touched AND x.grant_id = g_id[t.g] AND x.seq = t.seq;
  IF nm > 0 THEN
    UPDATE ceiling_month x SET held = t.held, settled = t.settled, earlier = t.earlier
      FROM unnest(m_id, m_month, m_held, m_settled, m_earlier) t (id, month, held, settled, earlier)
     WHERE x.id = t.id AND x.month = t.month AND (x.held <> t.held OR x.settled <> t.settled OR x.earlier <> t.earlier);
  END IF;
  IF 1 = ANY (h_res) THEN
    INSERT INTO reservation (id, grant_id, detail, provider, model, stream, tariff, state, amount, created_at, owner, epoch, person_month, key_month, credential_id, credential_month, member)
      SELECT t.id, p_grants[t.g], t.detail, t.provider, t.model, t.stream, t.tariff, 'held', t.got, t.at, p_owner, p_epoch, t.person, t.key, coalesce(t.credential, ''), t.own, g_member[t.g]
        FROM unnest(h_id, h_g, h_detail, h_provider, h_model, h_stream, h_tariff, h_at, h_res, h_got, h_person, h_key, h_credential, h_own)
             t (id, g, detail, provider, model, stream, tariff, at, res, got, person, key, credential, own)
       WHERE t.res = 1;
  END IF;
  IF s_res && ARRAY[2, 3, 4]::SMALLINT[] THEN
    INSERT INTO event (id, kind, at, actor, grant_id, note)
      SELECT e.id, e.kind, e.at, e.actor, e.grant_id, e.note FROM (
        SELECT 1 AS what, t.o, t.id || ':adjusted' AS id, 'call.adjusted' AS kind, s_number[(t.o - 1) * width + 3] AS at, 'broker' AS actor,
               p_grants[t.g] AS grant_id,
               CASE t.res WHEN 2 THEN 'lowered' ELSE 'raised' END || ' to ' || dollars(s_number[(t.o - 1) * width + 1]) || ' from ' || dollars(t.amount) || ' charged, ' || t.why AS note
          FROM unnest(s_id, s_g, s_why, s_res, s_amount) WITH ORDINALITY t (id, g, why, res, amount, o) WHERE t.res IN (2, 4)
        UNION ALL
        SELECT 2, f.o, s_id[f.o] || ':frozen:' || g_id[f.g], 'grant.frozen', s_number[(f.o - 1) * width + 3], 'broker', g_id[f.g],
               'the provider billed ' || dollars(s_number[(f.o - 1) * width + 1]) || ' for a call that held ' || dollars(s_amount[f.o])
          FROM unnest(f_o, f_g) f (o, g)) e
      ORDER BY e.what, e.o;
  END IF;
  b_g := coalesce(b_g, '{}'); b_seq := coalesce(b_seq, '{}'); b_status := coalesce(b_status, '{}'); b_up := coalesce(b_up, '{}');
  m_id := coalesce(m_id, '{}'); m_month := coalesce(m_month, '{}');
END $$;
-- +goose StatementEnd
