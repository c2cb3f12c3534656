package ledgersim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/sqlite"
)

// account is a grant as the run knows it.
type account struct {
	grant  passport.GrantID
	token  passport.TokenID
	ends   time.Time
	terms  maybe[terms] // what the owner has set
	orders int          // that the owner has given on it so far

	seen   []passport.Balance // at the last look: the total, then the details
	excess passport.Money     // that the provider billed above holds, all that ever happened
}

// terms are what an owner changes.
type terms struct {
	state passport.GrantState
	cents [2]int64 // cap of each detail; 0 for one that is not there
	calls int64    // of each detail
}

// maybe is a value that is known, or one of several: an order may have been carried out though its answer was lost.
type maybe[T comparable] []T

func (m *maybe[T]) add(v T) {
	if !slices.Contains(*m, v) {
		*m = append(*m, v)
	}
}

func (t terms) details() (out []passport.Detail) {
	for i, p := range []passport.Provider{passport.OpenAI, passport.Anthropic} {
		if t.cents[i] == 0 {
			continue
		}
		out = append(out, passport.Detail{Provider: p, Capabilities: []passport.Capability{passport.Chat}, RateLimit: passport.LimitOf(100),
			MaxBudgetCents: passport.LimitOf(t.cents[i]), MaxRequests: passport.LimitOf(t.calls)})
	}
	return out
}

// epoch is when the clock of a synctest bubble starts.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// accounts are the grants of the prepared database.
func accounts() []*account {
	one := func(n int, life time.Duration, calls int64, cents ...int64) *account {
		t := terms{state: passport.GrantActive, calls: calls}
		copy(t.cents[:], cents)
		return &account{grant: passport.GrantID(fmt.Sprint("gr_", n)), token: passport.TokenID(fmt.Sprint("tk_", n)),
			ends: epoch.Add(life), terms: maybe[terms]{t}}
	}
	return []*account{
		one(1, 24*time.Hour, 200, 400),
		one(2, 24*time.Hour, 200, 250, 150),
		one(3, 4*time.Minute, 9, 60),
	}
}

// image makes the prepared database.
var image = sync.OnceValues(func() (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "ledgersim-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	d := newDisk(dir, rand.New(rand.NewPCG(0, 0)), nil)
	defer d.close()
	ctx := context.Background()
	s, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, database), VFS: d.name})
	if err != nil {
		return nil, err
	}
	for _, a := range accounts() {
		err = errors.Join(err, a.open(ctx, s))
	}
	err = errors.Join(err, s.Close())
	return d.files[database].now, err
})

// opener is what a grant is opened in.
type opener interface {
	AddGrant(ctx context.Context, g passport.Grant, ev passport.Event) error
	ChangeGrant(ctx context.Context, g passport.Grant, ev passport.Event) error
	AddToken(ctx context.Context, t passport.Token, ev passport.Event) error
}

func (a *account) open(ctx context.Context, s opener) error {
	details := a.terms[0].details()
	g := passport.Grant{ID: a.grant, RequestID: "rq", Version: 1, State: passport.GrantPending, AppName: "a", Asked: details,
		Details: details, CreatedAt: epoch, ExpiresAt: a.ends}
	if err := s.AddGrant(ctx, g, passport.Event{ID: passport.EventID(a.grant + ":asked"), At: epoch}); err != nil {
		return err
	}
	g.Version, g.State, g.Owner, g.ApprovedAt = 2, passport.GrantActive, "p1", epoch
	if err := s.ChangeGrant(ctx, g, passport.Event{ID: passport.EventID(a.grant + ":given"), At: epoch}); err != nil {
		return err
	}
	return s.AddToken(ctx, passport.Token{ID: a.token, Grant: a.grant, IssuedAt: epoch, ExpiresAt: a.ends},
		passport.Event{ID: passport.EventID(a.token + ":issued"), At: epoch})
}
