package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/postgres"
)

// ear is what an instance with one live grant hears.
type ear struct {
	mu    sync.Mutex // guards what follows
	live  []passport.GrantID
	heard []string
	grew  chan struct{}
}

func (e *ear) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, fmt.Sprintf(format, args...))
	close(e.grew)
	e.grew = make(chan struct{})
}

func (e *ear) has(what string) (bool, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.heard {
		if h == what {
			return true, nil
		}
	}
	return false, e.grew
}

// hears waits for something and says how long it took.
func (e *ear) hears(t *testing.T, what string, most time.Duration) {
	t.Helper()
	began := time.Now()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	for {
		ok, grew := e.has(what)
		if ok {
			break
		}
		select {
		case <-grew:
		case <-timer.C:
			t.Fatalf("%q was not heard, but %q", what, e.heard)
		}
	}
	if took := time.Since(began); took > most {
		t.Errorf("%q was heard after %s", what, took)
	}
}

func watch(t *testing.T, s *postgres.Store, live ...passport.GrantID) *ear {
	t.Helper()
	e := &ear{live: live, grew: make(chan struct{})}
	err := s.Watch(t.Context(), postgres.Watched{
		Live: func() []passport.GrantID {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.live
		},
		Ended:   func(g passport.GrantID, s passport.GrantState) { e.note("%s %s", g, s) },
		Stopped: func() { e.note("stopped") },
		SDKKeys: func() []passport.TokenID { return []passport.TokenID{"k1", "k2"} },
		KeyGone: func(id passport.TokenID) { e.note("key %s", id) },
		Keys:    func(context.Context) error { e.note("keys"); return nil },
		Blind:   func() { e.note("blind") },
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func change(t *testing.T, s *postgres.Store, g passport.Grant, to passport.GrantState) passport.Grant {
	t.Helper()
	g.Version, g.State = g.Version+1, to
	if err := s.ChangeGrant(t.Context(), g, passport.Event{Kind: passport.GrantWasRevoked, Grant: g.ID}); err != nil {
		t.Fatal(err)
	}
	return g
}

// What one instance ends, another hears: revoke, pause, freeze, a stop, keys.
func TestThreat09OthersHearWhatEnds(t *testing.T) {
	url := database(t)
	a, b := open(t, options(url)), open(t, options(url))
	grants := []passport.Grant{active(t, a, "revoked", 100, 100), active(t, a, "paused", 100, 100), active(t, a, "frozen", 100, 100)}
	e := watch(t, b, "revoked", "paused", "frozen")
	change(t, a, grants[0], passport.GrantRevoked)
	e.hears(t, "revoked revoked", time.Second)
	change(t, a, grants[1], passport.GrantPaused)
	e.hears(t, "paused paused", time.Second)
	h := ask("frozen", "r1", 1000)
	hold(t, a, h)
	if err := a.Settle(t.Context(), settlement(h, 2000)); err != nil {
		t.Fatal(err)
	}
	e.hears(t, "frozen paused", time.Second)
	e.mu.Lock()
	e.heard = nil
	e.mu.Unlock()
	if err := a.AddCredential(t.Context(), passport.Credential{ID: "c", Provider: passport.OpenAI, Label: "l", Sealed: []byte("s")}, passport.Event{}); err != nil {
		t.Fatal(err)
	}
	e.hears(t, "keys", time.Second)
	for _, c := range []passport.Credential{
		{ID: "c", Label: "l", Sealed: []byte("another"), Version: 1, RotatedAt: time.Now()},
		{ID: "c", Label: "l", Sealed: []byte("another"), Version: 2, ChosenAt: time.Now()}, // its secret is replaced, and it is chosen
	} {
		e.mu.Lock()
		e.heard = nil
		e.mu.Unlock()
		if err := a.ChangeCredential(t.Context(), c, passport.Event{ID: passport.EventID(fmt.Sprint(c.Version))}); err != nil {
			t.Fatal(err)
		}
		e.hears(t, "keys", time.Second)
	}
	g := active(t, a, "with keys", 100, 100)
	for i, id := range []passport.TokenID{"k1", "k2", "k9"} {
		k := passport.SDKKey{ID: id, Grant: g.ID, Name: "n", Start: "aip_012345", CreatedAt: g.CreatedAt, ExpiresAt: g.ExpiresAt}
		if err := a.AddSDKKey(t.Context(), k, [32]byte{byte(i)}, passport.Event{Kind: passport.SDKKeyMade}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []passport.TokenID{"k9", "k2"} {
		if err := a.RevokeSDKKey(t.Context(), g.ID, id, passport.Event{ID: "ev " + passport.EventID(id), Kind: passport.SDKKeyRevoked, At: g.CreatedAt.Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	e.hears(t, "key ", time.Second) // one was revoked; calls that are not in flight yet must ask
	e.hears(t, "key k2", time.Second)
	if ok, _ := e.has("key k1"); ok {
		t.Error("a key that works is said to be gone")
	}
	if err := a.Stop(t.Context(), true, passport.Event{Kind: passport.AppsStopped}); err != nil {
		t.Fatal(err)
	}
	e.hears(t, "stopped", time.Second)
}

// What is not in flight here is not polled for, so it can only have been notified: the quick way works too.
func TestThreat09EndsAreNotified(t *testing.T) {
	url := database(t)
	a, b := open(t, options(url)), open(t, options(url))
	e := watch(t, b)
	for i := range 50 { // what is said before it listens is not heard
		g := active(t, a, passport.GrantID(fmt.Sprint("g", i)), 100, 100)
		change(t, a, g, passport.GrantRevoked)
		timer := time.NewTimer(200 * time.Millisecond)
		for waits := true; waits; {
			ok, grew := e.has(string(g.ID) + " revoked")
			if ok {
				return
			}
			select {
			case <-grew:
			case <-timer.C:
				waits = false
			}
		}
	}
	t.Error("nothing was notified")
}

// An instance whose listening connection is ended before and after each revoke hears of it within a second all the same.
func TestThreat09ADeadListenerIsNoDeafness(t *testing.T) {
	server := pgtest.New(t)
	url := server.Database(t)
	a, b := open(t, options(url)), open(t, options(url))
	e := watch(t, b)
	const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'`
	for i := range 5 {
		g := active(t, a, passport.GrantID(fmt.Sprint("g", i)), 100, 100)
		e.mu.Lock()
		e.live = []passport.GrantID{g.ID}
		e.mu.Unlock()
		server.Admin(t, end)
		change(t, a, g, passport.GrantRevoked)
		revoked := time.Now()
		server.Admin(t, end)
		e.hears(t, string(g.ID)+" revoked", time.Second-time.Since(revoked))
	}
}

// While the database does not answer nothing begins, and what runs is told within a second and a little; after it, all is well.
func TestThreat09ABlindInstanceStops(t *testing.T) {
	server := pgtest.New(t)
	url := server.Database(t)
	s := open(t, options(url))
	active(t, s, "g", 100, 100)
	e := watch(t, s, "g")
	hold(t, s, ask("g", "r1", 10))
	server.Stop(t, pgtest.Immediate)
	e.hears(t, "blind", 1500*time.Millisecond)
	if _, err := s.Hold(t.Context(), ask("g", "r2", 10)); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("a hold of a blind instance: %v", err)
	}
	server.Start(t)
	started := time.Now()
	defer func() { t.Logf("a hold %s after the start", time.Since(started)) }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for n := 3; ; n++ {
		_, err := s.Hold(ctx, ask("g", fmt.Sprint("r", n), 10))
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("it does not recover: %v", err)
		}
	}
}

// The wait for other instances is over when they have no open call, and not before.
func TestElsewhereWaitsForTheLastOpenCall(t *testing.T) {
	url := database(t)
	a, b := open(t, options(url)), open(t, options(url))
	active(t, a, "g", 100, 100)
	active(t, a, "other", 100, 100)
	own, theirs, foreign := ask("g", "own", 10), ask("g", "theirs", 10), ask("other", "foreign", 10)
	hold(t, a, own)
	hold(t, b, foreign)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	a.Elsewhere(ctx, "g") // its own and those of another grant are not waited for
	if ctx.Err() != nil {
		t.Fatal("waited for nobody")
	}
	hold(t, b, theirs)
	for s, want := range map[*postgres.Store]map[passport.GrantID]int{a: {"g": 1, "other": 1}, b: {"g": 1}} {
		if got, err := s.LiveElsewhere(ctx); err != nil || !maps.Equal(got, want) {
			t.Errorf("open elsewhere: got %v, %v, want %v", got, err, want)
		}
	}
	for _, g := range []passport.GrantID{"g", ""} {
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		a.Elsewhere(short, g)
		if short.Err() == nil {
			t.Errorf("%q: an open call of another instance was not waited for", g)
		}
		cancel()
	}
	done := make(chan struct{})
	go func() {
		a.Elsewhere(ctx, "g")
		close(done)
	}()
	if err := b.Settle(t.Context(), settlement(theirs, 5)); err != nil {
		t.Fatal(err)
	}
	<-done
	if ctx.Err() != nil {
		t.Error("a call that was settled is waited for")
	}
}
