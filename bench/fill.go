package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// flat: what a call costs with one grant and one token, against many grants in the database and many tokens in turn.
func (b *bed) flat() error {
	if b.o.database != "" {
		return nil
	}
	secret := "JWT_SECRET=" + hmacSecret
	few, fewTokens, err := b.filled("few", secret, 1, 1)
	if err != nil {
		return err
	}
	defer few.stop()
	begin := time.Now()
	many, manyTokens, err := b.filled("many", secret, b.o.grants, b.o.tokens)
	if err != nil {
		return err
	}
	defer many.stop()
	fmt.Fprintf(os.Stderr, "%d grants written in %.1f s, first answer after %.0f ms\n", b.o.grants, time.Since(begin).Seconds(), many.took.Seconds()*1000)
	targets := []*target{{name: "1 grant, 1 token", p: few, tokens: fewTokens}, {name: fmt.Sprintf("%d grants, 1 token", b.o.grants), p: many, tokens: manyTokens[:1]},
		{name: fmt.Sprintf("%d grants, %d tokens in turn", b.o.grants, b.o.tokens), p: many, tokens: manyTokens}}
	for targets[2].turn.Load() < int64(len(manyTokens)) { // each token used once, as in a broker that has run for a while
		if did := targets[2].run(load{conns: 64, window: time.Second}); did.lastError != nil {
			return did.lastError
		}
	}
	w, err := rounds(b.o.rounds, load{conns: 64, warm: b.o.warm, window: b.o.window}, targets)
	if err != nil {
		return err
	}
	fmt.Print("\nCost of a call at 64 connections (target: within 15 % of the first row):\n\n| state | calls/s | ratio | p99 µs | CPU s/1,000 | ratio |\n|---|---|---|---|---|---|\n")
	for i, t := range targets {
		fmt.Printf("| %s | %.0f | %.2f | %.0f | %.3f | **%.2f** |\n", t.name, median(w[i], callsOf), ratio(w[i], w[0], callsOf), median(w[i], p99Of), median(w[i], cpuOf), ratio(w[i], w[0], cpuOf))
	}
	return nil
}

// filled starts a broker whose database has so many grants, all alike, and so many tokens, each of another grant.
func (b *bed) filled(name, secret string, grants, tokens int) (*process, []string, error) {
	dir := filepath.Join(b.dir, name)
	p, err := startBroker(b.o, dir, b.up.addr, secret)
	if err != nil {
		return nil, nil, err
	}
	list, err := p.apps(1)
	p.stop()
	if err != nil || grants == 1 {
		p, startErr := startBroker(b.o, dir, b.up.addr, secret)
		if err == nil {
			err = startErr
		}
		return p, list, err
	}
	t, err := parse(list[0])
	if err != nil {
		return nil, nil, err
	}
	if err := fill(filepath.Join(dir, "data", "aipassport.db"), t.grant, t.id, grants, tokens); err != nil {
		return nil, nil, fmt.Errorf("fill the database: %w", err)
	}
	list = list[:0]
	for i := range tokens {
		list = append(list, t.forTwin(i, grants/tokens))
	}
	p, err = startBroker(b.o, dir, b.up.addr, secret)
	return p, list, err
}

// A twin is a copy of the grant, or of its token, that the API made. Their ids are spread over the index as real ones are.
const (
	twinGrant = "01900000-0000-7000-8000-%012x"
	twinToken = "01900000-0000-7000-9000-%012x"
)

// fill writes twins of a grant with their budgets, and of its token one for every few of them. It copies whatever columns there are.
func fill(path, grant, token string, grants, tokens int) error {
	db, err := sqlite3.Open("file:" + path)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Exec(`PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536; BEGIN`); err != nil {
		return err
	}
	for _, t := range []struct {
		table, where string
		n, every     int
		own          map[string]string // columns that differ from twin to twin: n is its number
	}{
		{"grants", "id = '" + grant + "'", grants, 1, map[string]string{"id": twin(twinGrant, 1), "request_id": twin("01900000-0000-7000-a000-%012x", 1)}},
		{"budget", "grant_id = '" + grant + "'", grants, 1, map[string]string{"grant_id": twin(twinGrant, 1)}},
		{"token", "id = '" + token + "'", tokens, grants / tokens, map[string]string{"id": twin(twinToken, 1), "grant_id": twin(twinGrant, grants/tokens)}},
	} {
		names, values, err := columns(db, t.table, t.own)
		if err != nil {
			return err
		}
		err = db.Exec(fmt.Sprintf(`WITH RECURSIVE twin (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM twin WHERE n + 1 < %d)
			INSERT INTO %s (%s) SELECT %s FROM twin, (SELECT * FROM %s WHERE %s)`, t.n, t.table, names, values, t.table, t.where))
		if err != nil {
			return fmt.Errorf("%s: %w", t.table, err)
		}
	}
	return db.Exec(`COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`)
}

func twin(format string, step int) string { return fmt.Sprintf("printf('%s', n * %d)", format, step) }

// columns of a table, and what a twin has in each.
func columns(db *sqlite3.Conn, table string, own map[string]string) (names, values string, err error) {
	st, _, err := db.Prepare(`SELECT name FROM pragma_table_info('` + table + `')`)
	if err != nil {
		return "", "", err
	}
	defer st.Close()
	var ns, vs []string
	for st.Step() {
		name := st.ColumnText(0)
		value := name
		if own[name] != "" {
			value = own[name]
		}
		ns, vs = append(ns, name), append(vs, value)
	}
	return strings.Join(ns, ", "), strings.Join(vs, ", "), st.Err()
}

// jwt is a token of the broker, taken apart (RFC 7515 §3.1). With JWT_SECRET whoever knows the secret can sign others.
type jwt struct {
	header    string
	claims    map[string]any
	id, grant string
}

func parse(token string) (t jwt, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return t, fmt.Errorf("the token has %d parts", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(b, &t.claims)
	}
	t.header, t.id, t.grant = parts[0], text(t.claims, "jti"), text(t.claims, "gid")
	return t, err
}

// forTwin is the token of the n-th twin token, whose grant is the n-th times step.
func (t jwt) forTwin(n, step int) string {
	id, grant := fmt.Sprintf(twinToken, n), fmt.Sprintf(twinGrant, n*step)
	c := t.claims
	c["jti"], c["gid"], c["grantId"], c["sub"], c["client_id"] = id, grant, grant, grant, grant
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // it was JSON before
	}
	signed := t.header + "." + base64.RawURLEncoding.EncodeToString(b)
	m := hmac.New(sha256.New, []byte(hmacSecret))
	m.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}
