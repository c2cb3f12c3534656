package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// When says on which side of its effect a method of Memory fails.
type When int

// The two failures that a caller must survive.
const (
	Before When = iota + 1 // said no, and did nothing
	After                  // said no, did it anyway
)

// Memory is a store without a disk, for tests: it keeps the contract that Run tests, and fails on demand. Make it with NewMemory.
type Memory struct {
	mu       sync.Mutex // guards all below
	faults   map[string]fault
	accounts map[passport.GrantID]*account
	calls    map[passport.ReservationID]*call
	tokens   map[passport.TokenID]passport.Token
	sdkKeys  map[passport.TokenID]sdkKey
	creds    map[passport.CredentialID]passport.Credential
	keys     map[string]passport.SigningKey
	people   []passport.Person
	setups   map[[32]byte]time.Time
	resets   map[[32]byte]reset
	links    map[[32]byte]passport.Identity
	unlinked map[[32]byte]bool // of links that are no more
	invited  map[[32]byte]passport.Invitation
	sessions map[[32]byte]passport.Session
	passkeys map[string]passport.Passkey
	bearers  map[[32]byte]passport.OwnerToken
	ceilings map[passport.CeilingID]store.Limits
	months   map[monthKey]*passport.Ceiling // without their cap, which is in ceilings
	events   []passport.Event
	claims   map[claimKey]claim
	answers  map[passport.ReservationID]answer
	told     map[told]bool
	marks    map[passport.GrantID][]passport.Mark // in the order of time
	notices  []passport.Notice
	seen     map[seenKey]time.Time
	hook     *hook
	door     door
	added    map[passport.Provider]passport.Compatible
	once     oneTime
	clients  map[passport.ClientID]passport.Client
	stopped  bool
	since    time.Time // when stopped
	stops    map[passport.Payer]time.Time
}

type fault struct {
	when When
	err  error
}

// account is a grant with its budgets.
type account struct {
	grant  passport.Grant
	opened bool
	total  passport.Balance

	recapped bool               // its last change changed the caps of the total
	parts    []passport.Balance // one for each detail, nil where there is one
}

type call struct {
	passport.Reservation
	reached bool
	took    passport.Taken
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		faults:   map[string]fault{},
		accounts: map[passport.GrantID]*account{},
		calls:    map[passport.ReservationID]*call{},
		tokens:   map[passport.TokenID]passport.Token{},
		sdkKeys:  map[passport.TokenID]sdkKey{},
		door:     newDoor(),
		creds:    map[passport.CredentialID]passport.Credential{},
		keys:     map[string]passport.SigningKey{},
		setups:   map[[32]byte]time.Time{},
		links:    map[[32]byte]passport.Identity{},
		unlinked: map[[32]byte]bool{},
		stops:    map[passport.Payer]time.Time{},
		resets:   map[[32]byte]reset{},
		invited:  map[[32]byte]passport.Invitation{},
		sessions: map[[32]byte]passport.Session{}, passkeys: map[string]passport.Passkey{},
		bearers: map[[32]byte]passport.OwnerToken{},
		claims:  map[claimKey]claim{},
		told:    map[told]bool{}, marks: map[passport.GrantID][]passport.Mark{},
		seen:     map[seenKey]time.Time{},
		answers:  map[passport.ReservationID]answer{},
		ceilings: map[passport.CeilingID]store.Limits{},
		months:   map[monthKey]*passport.Ceiling{},
		added:    map[passport.Provider]passport.Compatible{},
		clients:  map[passport.ClientID]passport.Client{},
	}
}

// Fail makes every later call of a method, named as in Go ("Hold"), return err before or after its effect. A nil err ends that.
// After lets the method's own refusals through: they have no effect to hide.
func (m *Memory) Fail(method string, when When, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults[method] = fault{when, err}
}

// do runs one atomic step under the lock, with the fault that was asked for. A step checks before it writes.
func (m *Memory) do(method string, step func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.faults[method]
	if f.err != nil && f.when == Before {
		return f.err
	}
	if err := step(); err != nil {
		return err
	}
	return f.err
}

// Close does nothing: what is in memory stays readable.
func (m *Memory) Close() error { return nil }

func (m *Memory) note(ev passport.Event) {
	ev.At = stored(ev.At)
	m.events = append(m.events, ev)
	a := m.accounts[ev.Grant]
	if m.hook != nil && passport.Told(ev.Kind) && ev.Payer.Member() == "" && (a == nil || a.grant.Payer.Member() == "") {
		m.hook.waiting = append(m.hook.waiting, ev)
	}
	m.notice(ev)
}

// Events returns what happened, in order, after a sequence number (0: from the first), and the number to go on from.
func (m *Memory) Events(_ context.Context, after int64, limit int) (out []passport.Event, last int64, err error) {
	err = m.do("Events", func() error {
		last = after
		for i := after; i < int64(len(m.events)) && len(out) < limit; i++ {
			out, last = append(out, m.events[i]), i+1
		}
		return nil
	})
	return out, last, err
}

// Standing implements authority.Store.
func (m *Memory) Standing(_ context.Context, id passport.GrantID) (s passport.Standing, err error) {
	err = m.do("Standing", func() error {
		a := m.accounts[id]
		if a == nil {
			return store.NotFound("grant")
		}
		s = a.standing()
		return nil
	})
	return s, err
}

func (a *account) standing() passport.Standing {
	s := passport.Standing{Grant: copied(a.grant), Total: a.total}
	if a.opened {
		s.Details = slices.Clone(a.parts)
		if a.parts == nil {
			s.Details = []passport.Balance{a.total}
		}
	}
	return s
}

// Standings implements authority.Store.
func (m *Memory) Standings(_ context.Context, payer passport.Payer, before time.Time, limit int) (out []passport.Standing, err error) {
	err = m.do("Standings", func() error {
		for _, a := range m.accounts {
			if a.grant.Parent == "" && payer.Sees(a.grant) && (before.IsZero() || store.Micros(a.grant.CreatedAt) < store.Micros(before)) {
				out = append(out, a.standing())
			}
		}
		slices.SortFunc(out, func(a, b passport.Standing) int {
			return cmp.Or(b.Grant.CreatedAt.Compare(a.Grant.CreatedAt), cmp.Compare(b.Grant.ID, a.Grant.ID))
		})
		out = first(out, limit)
		return nil
	})
	return out, err
}

// Stop implements authority.Store.
func (m *Memory) Stop(_ context.Context, stopped bool, ev passport.Event) error {
	return m.do("Stop", func() error {
		if stopped && !m.stopped {
			m.since = stored(ev.At)
		}
		m.stopped = stopped
		m.note(ev)
		return nil
	})
}

// Reservations implements authority.History.
func (m *Memory) Reservations(_ context.Context, g passport.GrantID, before passport.ReservationID, limit int) (out []passport.Reservation, err error) {
	err = m.do("Reservations", func() error {
		for _, c := range m.calls {
			if c.Grant == g && (before == "" || c.ID < before) {
				out = append(out, c.Reservation)
			}
		}
		slices.SortFunc(out, func(a, b passport.Reservation) int { return cmp.Compare(b.ID, a.ID) })
		out = first(out, limit)
		return nil
	})
	return out, err
}

// LastCalls implements authority.History.
func (m *Memory) LastCalls(_ context.Context, of []passport.GrantID) (map[passport.GrantID]time.Time, error) {
	out := map[passport.GrantID]time.Time{}
	err := m.do("LastCalls", func() error {
		newest := map[passport.GrantID]passport.ReservationID{}
		for _, c := range m.calls {
			if slices.Contains(of, c.Grant) && c.ID > newest[c.Grant] {
				newest[c.Grant], out[c.Grant] = c.ID, c.CreatedAt
			}
		}
		return nil
	})
	return out, err
}

// Totals implements authority.History.
func (m *Memory) Totals(_ context.Context, payer passport.Payer, since time.Time) (settled, held passport.Money, calls int64, err error) {
	err = m.do("Totals", func() error {
		for _, c := range m.calls {
			if !payer.Sees(m.accounts[c.Grant].grant) {
				continue
			}
			if c.State == passport.ReservationHeld {
				held += c.Amount
			} else if store.Micros(c.CreatedAt) >= store.Micros(since) {
				settled += c.Actual
			}
			if c.reached && store.Micros(c.CreatedAt) >= store.Micros(since) {
				calls++
			}
		}
		return nil
	})
	return settled, held, calls, err
}

// VerifyLedger lists the grants and ceilings whose balances differ from the sums of their reservations.
func (m *Memory) VerifyLedger(context.Context) (out []string, err error) {
	err = m.do("VerifyLedger", func() error {
		for id, a := range m.accounts {
			if !a.opened {
				continue
			}
			if got, want := a.total, m.sum(a.total, id, -1); got != want {
				out = append(out, fmt.Sprintf("grant %s: %+v, its reservations say %+v", id, got, want))
			}
			for i, p := range a.parts {
				if want := m.sum(p, id, i); p != want {
					out = append(out, fmt.Sprintf("grant %s detail %d: %+v, its reservations say %+v", id, i, p, want))
				}
			}
		}
		out = append(out, m.wrongCeilings()...)
		return nil
	})
	return out, err
}

// sum recomputes a balance from the reservations of a grant and of all below it, of one detail or, for -1, of all.
func (m *Memory) sum(b passport.Balance, id passport.GrantID, detail int) passport.Balance {
	b.Held, b.Settled, b.Calls = 0, 0, 0
	for _, c := range m.calls {
		if at, on := m.detailOn(c, id); !on || (detail >= 0 && at != detail) {
			continue
		}
		if c.State == passport.ReservationHeld {
			b.Held += c.Amount
		} else {
			b.Settled += c.Actual
		}
		if c.reached {
			b.Calls++
		}
	}
	return b
}

// detailOn says which detail of a grant a call counts on, if on any.
func (m *Memory) detailOn(c *call, id passport.GrantID) (int, bool) {
	if c.Grant == id {
		return c.Detail, true
	}
	for _, a := range m.accounts[c.Grant].grant.Above {
		if a.ID == id {
			return a.Details[c.Detail], true
		}
	}
	return 0, false
}

func first[T any](all []T, limit int) []T {
	return all[:min(len(all), max(0, limit))]
}
