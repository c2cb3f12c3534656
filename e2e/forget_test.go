package e2e_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// TestWhatEndedIsForgotten by a broker that starts: a token that ended two days before is, one that works and the calls of both are not.
func TestWhatEndedIsForgotten(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 100))
	works := b.token(g.asked)
	for _, token := range []string{g.token, works} {
		if a := b.call(native[0], token, "hello"); a.status != 200 {
			t.Fatal(a)
		}
	}
	before := b.settled(g.id)
	b.stop(syscall.SIGTERM)
	db := must(driver.Open(filepath.Join(b.data, "aipassport.db")))
	must(db.Exec(`UPDATE token SET expires_at = issued_at - 172800000000 WHERE id = (SELECT id FROM token ORDER BY id LIMIT 1)`))
	b.run()
	if _, ok := b.log.await(testutil.Patience, func(m map[string]any) bool { return m["msg"] == "forgot what ended" && m["rows"] == 1.0 }); !ok {
		t.Errorf("the log does not tell that one token is forgotten: %s", b.log.tail(2000))
	}
	var tokens int
	if err := db.QueryRow(`SELECT COUNT(*) FROM token`).Scan(&tokens); err != nil || tokens != 1 {
		t.Errorf("%d tokens are left, %v, want 1", tokens, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if a := b.call(native[0], works, "again"); a.status != 200 {
		t.Errorf("the other token: %s", a)
	}
	if a := b.call(native[0], g.token, "again"); a.status != 401 {
		t.Errorf("the token that is forgotten: %s", a)
	}
	if after := b.settled(g.id); after.UsageCount != before.UsageCount+1 || after.SettledMicroUsd <= before.SettledMicroUsd {
		t.Errorf("got %+v, before it was %+v", after, before)
	}
	b.verify()
}
