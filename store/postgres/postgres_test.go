package postgres_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/postgres"
	"github.com/devrelopers/aipassport/store/storetest"
)

var (
	_ meter.Ledger      = (*postgres.Store)(nil)
	_ token.Store       = (*postgres.Store)(nil)
	_ vault.Sealed      = (*postgres.Store)(nil)
	_ authority.Store   = (*postgres.Store)(nil)
	_ authority.History = (*postgres.Store)(nil)
	_ identity.Store    = (*postgres.Store)(nil)
	_ storetest.Store   = (*postgres.Store)(nil)
)

var instances atomic.Int64

// options are those of a store whose lease no test that runs beside it can starve. Tests of leases have their own.
func options(url string) postgres.Options {
	return postgres.Options{URL: url, Now: time.Now, NewID: func() string { return fmt.Sprint("instance-", instances.Add(1)) }, Lease: time.Minute}
}

func open(t testing.TB, o postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), o)
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

// database is one whose schema is up to date already: to bring it there takes longer than most tests.
func database(t *testing.T) string {
	t.Helper()
	return pgtest.Filled(t, func(url string) {
		s, err := postgres.Open(t.Context(), options(url))
		must(t, err)
		must(t, s.Close())
	})
}

func TestKeepsTheContract(t *testing.T) {
	t.Parallel()
	var places sync.Map // of a case, which opens one after the other, to its database
	storetest.Run(t, func(t *testing.T, place string) storetest.Store {
		url, ok := places.Load(place)
		if !ok {
			url = database(t)
			places.Store(place, url)
		}
		return open(t, options(url.(string)))
	})
}

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

func hold(t testing.TB, s *postgres.Store, h passport.Hold) {
	t.Helper()
	if _, err := s.Hold(t.Context(), h); err != nil {
		t.Fatal(err)
	}
}

func total(t testing.TB, s *postgres.Store, g passport.GrantID) passport.Balance {
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
