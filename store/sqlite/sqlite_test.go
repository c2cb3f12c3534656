package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/sqlite"
	"github.com/devrelopers/aipassport/store/storetest"
)

var (
	_ meter.Ledger      = (*sqlite.Store)(nil)
	_ token.Store       = (*sqlite.Store)(nil)
	_ vault.Sealed      = (*sqlite.Store)(nil)
	_ authority.Store   = (*sqlite.Store)(nil)
	_ authority.History = (*sqlite.Store)(nil)
	_ identity.Store    = (*sqlite.Store)(nil)
	_ storetest.Store   = (*sqlite.Store)(nil)
)

func open(t testing.TB, o sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func path(dir string) sqlite.Options {
	return sqlite.Options{Path: filepath.Join(dir, "aipassport.db")}
}

func TestKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, place string) storetest.Store {
		o := path(place)
		if _, err := os.Stat(o.Path); errors.Is(err, fs.ErrNotExist) {
			b, err := fresh()
			must(t, err)
			must(t, os.WriteFile(o.Path, b, 0o600))
		}
		return open(t, o)
	})
}

// fresh is the file of a database that nothing is in, with its schema up to date: to bring it there takes longer than most cases.
var fresh = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "fresh-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s, err := sqlite.Open(context.Background(), path(dir))
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path(dir).Path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the database is not all in one file: %w", err)
	}
	return os.ReadFile(path(dir).Path)
})

// active adds a grant with a cap of so many cents, for an hour.
func active(t testing.TB, s storetest.Store, id passport.GrantID, cents, calls int64) passport.Grant {
	t.Helper()
	g := passport.Grant{ID: id, Version: 1, State: passport.GrantPending, CreatedAt: storetest.Epoch(), ExpiresAt: storetest.Epoch().Add(time.Hour)}
	g.Asked = []passport.Detail{storetest.Detail(cents, calls)}
	if err := s.AddGrant(t.Context(), g, passport.Event{Kind: passport.GrantRequested, Grant: id}); err != nil {
		t.Fatal(err)
	}
	g.Version, g.State, g.Details = 2, passport.GrantActive, g.Asked
	if err := s.ChangeGrant(t.Context(), g, passport.Event{Kind: passport.GrantApproved, Grant: id}); err != nil {
		t.Fatal(err)
	}
	return g
}

func ask(g passport.GrantID, id string, amount passport.Money) passport.Hold {
	return passport.Hold{ID: passport.ReservationID(id), Grant: g, Provider: passport.OpenAI, Model: "gpt-4o", Amount: amount,
		Least: amount, Tariff: "2026-03", At: storetest.Epoch()}
}

func settlement(h passport.Hold, actual passport.Money) passport.Settlement {
	return passport.Settlement{ID: h.ID, Grant: h.Grant, Actual: actual, Reached: true, Why: passport.Finished, At: h.At}
}

func hold(t testing.TB, s *sqlite.Store, h passport.Hold) {
	t.Helper()
	if _, err := s.Hold(t.Context(), h); err != nil {
		t.Fatal(err)
	}
}

func total(t testing.TB, s *sqlite.Store, g passport.GrantID) passport.Balance {
	t.Helper()
	st, err := s.Standing(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := s.VerifyLedger(t.Context())
	if err != nil || len(wrong) > 0 {
		t.Fatalf("got %v, %v, want a ledger that adds up", wrong, err)
	}
	return st.Total
}

func TestOnlyTheOwnerCanReadTheFiles(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := t.TempDir()
	for _, name := range []string{"aipassport.db", "aipassport.db-shm"} { // left by somebody careless
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path(dir))
	active(t, s, "g", 1, 1)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("got %v, %v, want the database, its log and its index", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("got %s %v, %v, want mode 0600", f.Name(), info.Mode(), err)
		}
	}
}

func TestOddPathsWork(t *testing.T) {
	for _, name := range []string{"a b%41?c=d#e&f+g.db", "ü;'\".db"} {
		p := filepath.Join(t.TempDir(), name)
		s := open(t, sqlite.Options{Path: p})
		active(t, s, "g", 1, 1)
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if info, err := os.Stat(p + suffix); err != nil || info.Mode() != 0o600 {
				t.Errorf("got %v, %v, want a file %q of mode 0600", info, err, p+suffix)
			}
		}
	}
}

func TestWithoutADirectoryItDoesNotOpen(t *testing.T) {
	_, err := sqlite.Open(t.Context(), path(filepath.Join(t.TempDir(), "nowhere")))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want that the directory is missing", err)
	}
}

func TestWhatIsNotADatabaseDoesNotOpen(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(path(dir).Path, []byte(strings.Repeat("no database at all ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), path(dir)); !errors.Is(err, sqlite3.NOTADB) {
		t.Fatalf("got %v, want that it is no database", err)
	}
}

func TestEventsAreNotChanged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, path(dir))
	active(t, s, "g", 1, 1)
	db, err := driver.Open(path(dir).Path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, sql := range []string{`UPDATE event SET note = 'nothing happened'`, `DELETE FROM event`, `DELETE FROM event WHERE seq = 1`} {
		if _, err := db.Exec(sql); err == nil || !strings.Contains(err.Error(), "an event is not") {
			t.Errorf("%s: got %v, want a refusal", sql, err)
		}
	}
	if _, err := db.Exec(`UPDATE budget SET held = -1`); !errors.Is(err, sqlite3.CONSTRAINT_CHECK) {
		t.Errorf("got %v, want that less than nothing cannot be held", err)
	}
	events, _, err := s.Events(t.Context(), 0, 10)
	if err != nil || len(events) != 2 {
		t.Fatalf("got %v, %v, want the two events", events, err)
	}
}

// A copy of the files, taken without closing, is what a killed process leaves.
func TestAnAnsweredHoldIsInTheFiles(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	s := open(t, path(dir))
	active(t, s, "g", 1, 10)
	hold(t, s, ask("g", "r1", 1000))
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path(dir).Path + suffix)
		if err == nil {
			err = os.WriteFile(path(other).Path+suffix, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	copied := open(t, path(other))
	want := passport.Balance{Cap: passport.Cent, Held: 1000, CallsCap: 10, Calls: 1}
	if got := total(t, copied, "g"); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if n, sum, err := copied.ChargeOrphans(t.Context(), storetest.Epoch()); n != 1 || sum != 1000 || err != nil {
		t.Fatalf("got %d, %v, %v, want the one hold charged", n, sum, err)
	}
}

func TestClosedIsUnavailable(t *testing.T) {
	s := open(t, path(t.TempDir()))
	active(t, s, "g", 1, 10)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	_, hold := s.Hold(t.Context(), ask("g", "r1", 1))
	_, live := s.Liveness(t.Context(), "t")
	_, read := s.Standing(t.Context(), "g")
	for _, err := range []error{hold, live, read, s.Settle(t.Context(), settlement(ask("g", "r1", 1), 1)), s.Stop(t.Context(), true, passport.Event{})} {
		if problem.KindOf(err) != problem.Unavailable {
			t.Errorf("got %v, want it to be unavailable", err)
		}
	}
}

func TestCloseCommitsWhatIsQueued(t *testing.T) {
	dir := t.TempDir()
	s := open(t, path(dir))
	active(t, s, "g", 100, 1000)
	for i := range 700 { // more than one batch
		hold(t, s, ask("g", fmt.Sprint(i), 10))
		if err := s.Settle(t.Context(), settlement(ask("g", fmt.Sprint(i), 10), 3)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := passport.Balance{Cap: 100 * passport.Cent, Settled: 2100, CallsCap: 1000, Calls: 700}
	if got := total(t, open(t, path(dir)), "g"); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestAGivenUpCallIsNotHeld(t *testing.T) {
	s := open(t, path(t.TempDir()))
	active(t, s, "g", 1, 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// Either it had not begun, then nothing is held, or it was waited for, then it is held: the error tells which.
	held := int64(0)
	for i := range 5 {
		if _, err := s.Hold(ctx, ask("g", fmt.Sprint(i), 1)); err == nil {
			held++
		} else if problem.KindOf(err) != problem.ClientGone {
			t.Fatalf("got %v, want that the call was given up", err)
		}
	}
	if got := total(t, s, "g"); got.Calls != held || got.Held != passport.Money(held) {
		t.Fatalf("got %+v, want %d calls", got, held)
	}
}
