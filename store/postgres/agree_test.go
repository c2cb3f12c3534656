package postgres_test

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/sqlite"
	"github.com/devrelopers/aipassport/store/storetest"
)

// engines are the same ledger three times.
type engines struct {
	stores []storetest.Store // memory, SQLite, Postgres
	n      int
}

// TestEnginesGiveTheSameAnswers does the same to all engines and compares answers, in words too, and at the end all that they
// remember: calls, balances and events.
func TestEnginesGiveTheSameAnswers(t *testing.T) {
	t.Parallel()
	lite, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "a.db")})
	must(t, err)
	t.Cleanup(func() { lite.Close() })
	e := &engines{stores: []storetest.Store{storetest.NewMemory(), lite, open(t, options(database(t)))}}
	rapid.Check(t, func(t *rapid.T) {
		root := e.grant(t)
		all := []passport.Grant{root}
		if rapid.Bool().Draw(t, "child") {
			all = append(all, e.child(t, root))
		}
		var ids []passport.ReservationID
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			g := rapid.SampledFrom(all).Draw(t, "grant")
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			default:
				h := passport.Hold{ID: passport.ReservationID(e.id("rv")), Grant: g.ID, Detail: rapid.IntRange(-1, 2).Draw(t, "detail"),
					Provider: passport.OpenAI, Model: "gpt-4o", Tariff: "t", At: storetest.Epoch()}
				h.Credential = rapid.SampledFrom([]passport.CredentialID{"", "key-1"}).Draw(t, "key")
				h.Amount = passport.Money(rapid.Int64Range(-1, 15_000).Draw(t, "amount"))
				h.Least = passport.Money(rapid.Int64Range(0, 15_000).Draw(t, "least"))
				if len(ids) > 0 && rapid.IntRange(0, 9).Draw(t, "again") == 0 {
					h.ID = rapid.SampledFrom(ids).Draw(t, "id")
				}
				ids = append(ids, h.ID)
				e.same(t, func(s storetest.Store) (any, error) { return s.Hold(t.Context(), h) })
			case 5, 6, 7:
				if len(ids) == 0 {
					continue
				}
				z := passport.Settlement{ID: rapid.SampledFrom(ids).Draw(t, "id"), Why: passport.Finished, At: storetest.Epoch().Add(time.Second),
					Actual: passport.Money(rapid.Int64Range(-1, 20_000).Draw(t, "actual")), Reached: rapid.Bool().Draw(t, "reached")}
				z.Grant = e.holder(t, z.ID, all)
				e.same(t, func(s storetest.Store) (any, error) { return nil, s.Settle(t.Context(), z) })
			case 8:
				next := rapid.SampledFrom([]passport.GrantState{passport.GrantActive, passport.GrantActive, passport.GrantPaused, passport.GrantRevoked}).Draw(t, "state")
				cents, ev := rapid.Int64Range(0, 5).Draw(t, "cents"), e.event()
				version := rapid.Int64Range(0, 1).Draw(t, "version")
				e.same(t, func(s storetest.Store) (any, error) {
					st, err := s.Standing(t.Context(), g.ID)
					if err != nil {
						return nil, err
					}
					now := st.Grant
					now.Version, now.State, now.Details[0].MaxBudgetCents = now.Version+version, next, passport.LimitOf(cents)
					return nil, s.ChangeGrant(t.Context(), now, ev)
				})
			case 9:
				e.same(t, func(s storetest.Store) (any, error) {
					n, sum, err := s.ChargeOrphans(t.Context(), storetest.Epoch().Add(time.Minute))
					return fmt.Sprint(n, sum), err
				})
			}
		}
		for _, g := range all {
			e.same(t, func(s storetest.Store) (any, error) { return s.Standing(t.Context(), g.ID) })
			e.same(t, func(s storetest.Store) (any, error) { return byID(s.Reservations(t.Context(), g.ID, "", 1000)) })
			e.same(t, func(s storetest.Store) (any, error) { return story(t, s, g.ID) })
		}
		e.same(t, func(s storetest.Store) (any, error) { return s.VerifyLedger(t.Context()) })
	})
}

// byID orders calls by their ids. An engine lists them by id or by when they were held, which differ only where an id was refused
// and held later, as here; the order of a list is the contract's.
func byID(calls []passport.Reservation, err error) (any, error) {
	slices.SortFunc(calls, func(a, b passport.Reservation) int { return cmp.Compare(a.ID, b.ID) })
	return calls, err
}

// story is a grant's events in words, in no order: the names of events, and which of two of one settle comes first, are an engine's own.
func story(t *rapid.T, s storetest.Store, g passport.GrantID) (out []string, err error) {
	events, err := s.EventsOf(t.Context(), g, 1000)
	for _, ev := range events {
		out = append(out, fmt.Sprint(ev.Kind, " ", ev.At, " ", ev.Actor, " ", ev.Note))
	}
	slices.Sort(out)
	return out, err
}

func (e *engines) id(kind string) string {
	e.n++
	return fmt.Sprintf("%s-%06d", kind, e.n)
}

func (e *engines) event() passport.Event {
	return passport.Event{ID: passport.EventID(e.id("ev")), Kind: passport.GrantApproved, At: storetest.Epoch(), Actor: "owner:p1"}
}

// grant is an active grant of one detail or two.
func (e *engines) grant(t *rapid.T) passport.Grant {
	var ds []passport.Detail
	for i := range rapid.IntRange(1, 2).Draw(t, "details") {
		d := storetest.Detail(rapid.Int64Range(0, 5).Draw(t, "cents"), rapid.Int64Range(0, 9).Draw(t, "calls"))
		d.Provider = passport.Providers[i]
		ds = append(ds, d)
	}
	g := passport.Grant{ID: passport.GrantID(e.id("gr")), RequestID: "rq", Version: 1, State: passport.GrantPending, Asked: ds, Details: ds,
		CreatedAt: storetest.Epoch(), ExpiresAt: storetest.Epoch().Add(time.Hour)}
	ev := e.event()
	ev.Grant = g.ID
	e.same(t, func(s storetest.Store) (any, error) { return nil, s.AddGrant(t.Context(), g, ev) })
	g.Version, g.State = 2, passport.GrantActive
	ev = e.event()
	ev.Grant = g.ID
	e.same(t, func(s storetest.Store) (any, error) { return nil, s.ChangeGrant(t.Context(), g, ev) })
	return g
}

// child is a grant below another, of its last detail.
func (e *engines) child(t *rapid.T, parent passport.Grant) passport.Grant {
	at := len(parent.Details) - 1
	d := storetest.Detail(rapid.Int64Range(0, 5).Draw(t, "cents"), rapid.Int64Range(0, 9).Draw(t, "calls"))
	d.Provider = parent.Details[at].Provider
	g := passport.Grant{ID: passport.GrantID(e.id("gr")), RequestID: "rq", Version: 1, State: passport.GrantActive, Asked: []passport.Detail{d}, Details: []passport.Detail{d},
		CreatedAt: storetest.Epoch(), ExpiresAt: storetest.Epoch().Add(time.Hour), Parent: parent.ID,
		Above: []passport.Above{{ID: parent.ID, Details: []int{at}, Rates: []int64{1}}}}
	ev := e.event()
	ev.Grant = g.ID
	e.same(t, func(s storetest.Store) (any, error) { return nil, s.AddChild(t.Context(), g, ev) })
	return g
}

// holder is the grant that a call is of, which a settlement names: any, if nothing was held.
func (e *engines) holder(t *rapid.T, id passport.ReservationID, all []passport.Grant) passport.GrantID {
	for _, g := range all {
		calls, err := e.stores[0].Reservations(t.Context(), g.ID, "", 1000)
		if err == nil && slices.ContainsFunc(calls, func(r passport.Reservation) bool { return r.ID == id }) {
			return g.ID
		}
	}
	return all[0].ID
}

// same asks all engines and compares what they say.
func (e *engines) same(t *rapid.T, ask func(storetest.Store) (any, error)) {
	var first any
	var refusal string
	for i, s := range e.stores {
		got, err := ask(s)
		said := ""
		if err != nil {
			p := problem.From(err)
			said = fmt.Sprint(p.Kind, " ", p.Detail)
		}
		if i == 0 {
			first, refusal = got, said
			continue
		}
		if d := gocmp.Diff(first, got, gocmp.AllowUnexported(passport.Limit{})); d != "" || said != refusal {
			t.Fatalf("engine %d says %q, engine 0 %q; engine %d (+), engine 0 (-):\n%s", i, said, refusal, i, d)
		}
	}
}
