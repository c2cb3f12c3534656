package authority_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

// board counts what was recalled.
type board struct {
	mu    sync.Mutex // guards ended, quiet
	ended []passport.GrantID
	quiet []passport.GrantID // waited for
}

func (b *board) End(g passport.GrantID, _ error) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = append(b.ended, g)
	return 3
}

func (b *board) Quiet(_ context.Context, g passport.GrantID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.quiet = append(b.quiet, g)
}

func (b *board) EndAll(error) int { return b.End("all", nil) }

func (b *board) EndKey(k passport.TokenID, _ error) int {
	return b.End("key:"+passport.GrantID(k), nil)
}

type desk struct {
	*authority.Control
	store *storetest.Memory
	board *board
	now   time.Time
}

func newDesk() *desk {
	d := &desk{store: storetest.NewMemory(), board: &board{}, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	var mu sync.Mutex
	n := 0
	d.Control = &authority.Control{
		Store: d.store, Ceilings: d.store, SDKKeys: d.store, Family: d.store, Recall: d.board, Now: func() time.Time { return d.now }, PendingTTL: time.Hour, FreshAbove: 20 * passport.Dollar,
		NewID: func() string {
			mu.Lock()
			defer mu.Unlock()
			n++
			return "id-" + strconv.Itoa(n)
		},
		Defaults: passport.Limits{MaxBudgetCents: passport.LimitOf(500), MaxRequests: passport.LimitOf(100), RateLimit: passport.LimitOf(60)},
	}
	return d
}

func (d *desk) ask(t *testing.T) (passport.Grant, string) {
	t.Helper()
	g, secret, err := d.Ask(context.Background(), authority.Request{AppName: "Notes", AppURL: "https://notes.example", Reason: "why",
		Details: []passport.Detail{{Provider: passport.OpenAI, Models: []string{"m"}, Capabilities: []passport.Capability{passport.Chat}}}})
	if err != nil {
		t.Fatal(err)
	}
	return g, secret
}

func (d *desk) approved(t *testing.T) passport.Grant {
	t.Helper()
	g, _ := d.ask(t)
	g, err := d.Approve(context.Background(), g.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestNoGrantWithoutACap: what neither the app nor the person set is the owner's default.
func TestNoGrantWithoutACap(t *testing.T) {
	d := newDesk()
	g := d.approved(t)
	l := g.Details[0].Limits()
	if l != d.Defaults {
		t.Errorf("got limits %+v, want the owner's %+v", l, d.Defaults)
	}
}

func TestSecretOpensOnlyItsGrant(t *testing.T) {
	d := newDesk()
	ctx := context.Background()
	a, secretA := d.ask(t)
	b, secretB := d.ask(t)
	if _, err := d.BySecret(ctx, a.ID, secretA); err != nil {
		t.Errorf("its own secret: %v", err)
	}
	var texts []string
	for _, c := range []struct {
		id     passport.GrantID
		secret string
	}{{a.ID, secretB}, {b.ID, secretA}, {a.ID, ""}, {"none", secretA}, {"none", ""}} {
		_, err := d.BySecret(ctx, c.id, c.secret)
		if problem.KindOf(err) != problem.NotFound {
			t.Errorf("%s with %q: got %v, want NotFound", c.id, c.secret, err)
			continue
		}
		texts = append(texts, problem.From(err).Detail)
	}
	for _, s := range texts {
		if s != texts[0] {
			t.Errorf("the refusals differ: %q and %q", s, texts[0])
		}
	}
}

// TestRevokeWins: a revoke that races other changes is not lost, and recalls after it is durable.
func TestRevokeWins(t *testing.T) {
	d := newDesk()
	ctx := context.Background()
	g := d.approved(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			d.Pause(ctx, g.ID, "x")
			d.Resume(ctx, g.ID, "x")
		})
	}
	var revoked error
	wg.Go(func() { _, _, revoked = d.Revoke(ctx, g.ID, "x") })
	wg.Wait()
	s, err := d.Standing(ctx, g.ID)
	if err != nil || revoked != nil || s.Grant.State != passport.GrantRevoked {
		t.Errorf("state %s, errors %v %v; want revoked", s.Grant.State, err, revoked)
	}
}

// busy is a store in which somebody else changes the grant just before each of the first changes.
type busy struct {
	*storetest.Memory
	left int
	mine func()
}

func (b *busy) ChangeGrant(ctx context.Context, g passport.Grant, ev passport.Event) error {
	if b.left > 0 {
		b.left--
		b.mine()
	}
	return b.Memory.ChangeGrant(ctx, g, ev)
}

// TestRevokeStartsOverWhenOvertaken: the change that came in between is not undone, and the revoke is not lost.
func TestRevokeStartsOverWhenOvertaken(t *testing.T) {
	d := newDesk()
	ctx := context.Background()
	g := d.approved(t)
	other := *d.Control
	b := &busy{Memory: d.store, left: 3}
	b.mine = func() {
		if _, _, err := other.Pause(ctx, g.ID, "x"); err != nil {
			other.Resume(ctx, g.ID, "x")
		}
	}
	d.Store = b
	if _, _, err := d.Revoke(ctx, g.ID, "x"); err != nil || b.left != 0 {
		t.Fatalf("got %v with %d changes left", err, b.left)
	}
	b.left = 1000
	if _, _, err := d.Revoke(ctx, g.ID, "x"); err != nil { // nobody can overtake a revoked grant: pause and resume are refused
		t.Errorf("again: %v", err)
	}
}

// TestRevokeOfUnknownOutcome: the disk said no but did it; the calls are ended all the same and the caller hears of the failure.
func TestRevokeOfUnknownOutcome(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		d := newDesk()
		g := d.approved(t)
		d.store.Fail("ChangeGrant", when, problem.Wrap(errors.New("disk"), problem.Unavailable, "not now"))
		_, n, err := d.Revoke(context.Background(), g.ID, "x")
		if problem.KindOf(err) != problem.Unavailable || n != 3 || len(d.board.ended) != 1 {
			t.Errorf("when %d: got %d ended, %v; want 3 ended and Unavailable", when, n, err)
		}
	}
}

func TestRefusedMovesRecallNothing(t *testing.T) {
	d := newDesk()
	ctx := context.Background()
	g, _ := d.ask(t)
	if _, _, err := d.Pause(ctx, g.ID, "x"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("pause of a pending grant: got %v, want Conflict", err)
	}
	if _, err := d.Resume(ctx, g.ID, "x"); problem.KindOf(err) != problem.Conflict {
		t.Errorf("resume of a pending grant: got %v, want Conflict", err)
	}
	if _, _, err := d.Revoke(ctx, "none", "x"); problem.KindOf(err) != problem.NotFound {
		t.Errorf("revoke of none: got %v, want NotFound", err)
	}
	if len(d.board.ended) != 0 {
		t.Errorf("recalled %v, want nothing", d.board.ended)
	}
}

func TestPendingGrantExpires(t *testing.T) {
	d := newDesk()
	g, _ := d.ask(t)
	d.now = d.now.Add(time.Hour)
	if _, err := d.Approve(context.Background(), g.ID, passport.Approval{Owner: "p", Payer: passport.OwnerPays, Lifetime: time.Hour}); problem.KindOf(err) != problem.Conflict {
		t.Errorf("got %v, want Conflict", err)
	}
	s, err := d.Standing(context.Background(), g.ID)
	if err != nil || s.Grant.State != passport.GrantExpired {
		t.Errorf("got %s %v, want expired", s.Grant.State, err)
	}
}

// A revoke, a pause and a stop are answered after other instances have been waited for, and the wait has an end.
func TestOtherInstancesAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		ctx := context.Background()
		var asked []passport.GrantID
		d.Elsewhere = func(ctx context.Context, g passport.GrantID) {
			d.board.mu.Lock()
			if len(d.board.quiet) != len(asked)+1 {
				t.Errorf("before its own calls were over: %v", d.board.quiet)
			}
			d.board.mu.Unlock()
			asked = append(asked, g)
			<-ctx.Done() // somebody there does not end
		}
		a, b := d.approved(t), d.approved(t)
		for name, f := range map[string]func() error{
			"revoke": func() error { _, _, err := d.Revoke(ctx, a.ID, "x"); return err },
			"pause":  func() error { _, _, err := d.Pause(ctx, b.ID, "x"); return err },
			"stop":   func() error { _, err := d.Stop(ctx, "x"); return err },
		} {
			n, began := len(asked), time.Now()
			if err := f(); err != nil {
				t.Fatal(err)
			}
			if len(asked) != n+1 {
				t.Errorf("%s: nobody was asked", name)
			}
			if took := time.Since(began); took < time.Second || took > 2*time.Second {
				t.Errorf("%s: waited %s", name, took)
			}
		}
		if !slices.Contains(asked, a.ID) || !slices.Contains(asked, b.ID) || !slices.Contains(asked, "") {
			t.Errorf("asked for %q", asked)
		}
	})
}
