package passport_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	states = []passport.GrantState{
		passport.GrantPending, passport.GrantActive, passport.GrantPaused, passport.GrantDenied, passport.GrantRevoked, passport.GrantExpired,
	}
)

func grant(s passport.GrantState) passport.Grant {
	return passport.Grant{ID: "g1", Version: 3, State: s, CreatedAt: noon.Add(-time.Hour), ExpiresAt: noon.Add(time.Hour)}
}

// The whole machine: every state and every move, before and after the grant's end.
func TestEveryMove(t *testing.T) {
	const p, a, z, d, r, x = passport.GrantPending, passport.GrantActive, passport.GrantPaused, passport.GrantDenied, passport.GrantRevoked, passport.GrantExpired
	may := map[passport.GrantState][]passport.GrantState{
		p: {a, d, x, r}, a: {z, r, x}, z: {a, r, x}, d: {r}, x: {r}, r: {r},
		"": {}, "approved": {}, "nonsense": {},
	}
	for from, moves := range may {
		for _, to := range append(slices.Clone(states), "", "approved", "nonsense") {
			for _, over := range []bool{false, true} {
				now, can := noon, slices.Contains(moves, to)
				if over {
					now = noon.Add(time.Hour) // the very end: already over
					if from == p || from == a || from == z {
						can = to == r // as an expired one
					}
				}
				g := grant(from)
				got, err := g.To(to, now)
				if (err == nil) != can {
					t.Errorf("%q to %q, over %v: got %v, want it possible: %v", from, to, over, err, can)
				}
				if err != nil {
					if problem.KindOf(err) != problem.Conflict || got.ID != "" {
						t.Errorf("%q to %q: got %+v, %v; want a Conflict", from, to, got, err)
					}
					continue
				}
				want := g
				want.State, want.Version = to, 4
				if to == r {
					want.RevokedAt = now
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%q to %q (-want +got):\n%s", from, to, diff)
				}
				if diff := cmp.Diff(grant(from), g); diff != "" {
					t.Errorf("%q to %q changed the grant itself:\n%s", from, to, diff)
				}
			}
		}
	}
}

// No walk leads out of revoked, and none from denied, expired or revoked to where calls are made.
func TestEndedStaysEnded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := grant(rapid.SampledFrom(states).Draw(t, "from"))
		now, ended := noon, false
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "passes"))
			switch g.At(now).State {
			case passport.GrantDenied, passport.GrantExpired, passport.GrantRevoked:
				ended = true
			}
			if next, err := g.To(rapid.SampledFrom(states).Draw(t, "to"), now); err == nil {
				if next.Version != g.Version+1 {
					t.Fatalf("version went from %d to %d", g.Version, next.Version)
				}
				g = next
			}
			if ended && g.Live(now) == nil {
				t.Fatalf("a grant that had ended is live: %+v", g)
			}
		}
	})
}

func TestAtReadsTheEnd(t *testing.T) {
	for _, s := range states {
		usable := s == passport.GrantPending || s == passport.GrantActive || s == passport.GrantPaused
		for _, r := range []struct {
			at   time.Duration
			over bool
		}{{-time.Hour, false}, {0, false}, {time.Hour - 1, false}, {time.Hour, true}, {time.Hour + 1, true}, {24 * time.Hour, true}} {
			want := s
			if usable && r.over {
				want = passport.GrantExpired
			}
			if got := grant(s).At(noon.Add(r.at)).State; got != want {
				t.Errorf("%s after %v: got %s, want %s", s, r.at, got, want)
			}
		}
	}
}

func TestOnlyAnActiveGrantIsLive(t *testing.T) {
	for s, want := range map[passport.GrantState]problem.Kind{
		passport.GrantPending: problem.GrantEnded, passport.GrantPaused: problem.GrantPaused, passport.GrantDenied: problem.GrantEnded,
		passport.GrantRevoked: problem.GrantEnded, passport.GrantExpired: problem.GrantEnded, "": problem.GrantEnded, "approved": problem.GrantEnded,
	} {
		if err := grant(s).Live(noon); problem.KindOf(err) != want {
			t.Errorf("%q: got %v, want kind %d", s, err, want)
		}
		if err := grant(s).Live(noon.Add(time.Hour)); problem.KindOf(err) != problem.GrantEnded {
			t.Errorf("%q at its end: got %v, want GrantEnded", s, err)
		}
	}
	if err := grant(passport.GrantActive).Live(noon); err != nil {
		t.Error(err)
	}
	if err := (passport.Grant{State: passport.GrantActive}).Live(noon); problem.KindOf(err) != problem.GrantEnded {
		t.Errorf("without an end: got %v, want GrantEnded", err)
	}
}

func TestWireStates(t *testing.T) {
	for _, s := range states {
		want := string(s)
		if s == passport.GrantActive {
			want = "approved"
		}
		if got := s.Wire(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// pending is a grant that asks for details.
func pending(asked ...passport.Detail) passport.Grant {
	g := grant(passport.GrantPending)
	g.Asked, g.Details = asked, asked
	return g
}

var (
	openai   = passport.Detail{Provider: passport.OpenAI, Models: []string{"a", "b"}, Capabilities: []passport.Capability{passport.Chat}, MaxBudgetCents: passport.LimitOf(500)}
	google   = passport.Detail{Provider: passport.Google, Capabilities: []passport.Capability{passport.Chat, passport.Images}}
	defaults = passport.Limits{MaxBudgetCents: passport.LimitOf(100), MaxRequests: passport.LimitOf(1000), RateLimit: passport.LimitOf(60)}
)

func TestApproveAsAsked(t *testing.T) {
	g := pending(openai, google)
	got, err := g.Approve(passport.Approval{Owner: "p1", Lifetime: 2 * time.Hour, Defaults: defaults}, noon)
	if err != nil {
		t.Fatal(err)
	}
	want := g
	want.State, want.Version, want.Owner, want.ApprovedAt, want.ExpiresAt = passport.GrantActive, 4, "p1", noon, noon.Add(2*time.Hour)
	one, two := openai, google
	one.MaxRequests, one.RateLimit = defaults.MaxRequests, defaults.RateLimit
	two.MaxBudgetCents, two.MaxRequests, two.RateLimit = defaults.MaxBudgetCents, defaults.MaxRequests, defaults.RateLimit
	want.Details = []passport.Detail{one, two}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for p, want := range map[passport.Provider]int{passport.OpenAI: 0, passport.Google: 1, passport.Anthropic: -1} {
		if i := got.DetailFor(p); i != want {
			t.Errorf("%s: got detail %d, want %d", p, i, want)
		}
	}
}

func TestApproveNarrowsAndDrops(t *testing.T) {
	l := passport.LimitOf
	got, err := pending(openai, google).Approve(passport.Approval{
		Owner: "p1", Lifetime: time.Hour, Kept: []bool{true}, Defaults: defaults,
		Narrowed: []passport.Detail{{Models: []string{"a"}, MaxBudgetCents: l(0), RateLimit: l(1)}},
	}, noon)
	if err != nil {
		t.Fatal(err)
	}
	want := openai
	want.Models, want.MaxBudgetCents, want.MaxRequests, want.RateLimit = []string{"a"}, l(0), l(1000), l(1)
	if d := cmp.Diff([]passport.Detail{want}, got.Details, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]passport.Detail{openai, google}, got.Asked, cmp.AllowUnexported(passport.Limit{})); d != "" {
		t.Errorf("what was asked has changed:\n%s", d)
	}
}

func TestApproveRefuses(t *testing.T) {
	l := passport.LimitOf
	ok := passport.Approval{Owner: "p1", Lifetime: time.Hour, Defaults: defaults}
	for name, r := range map[string]struct {
		g      passport.Grant
		change func(*passport.Approval)
		kind   problem.Kind
		field  string
	}{
		"no life":       {pending(openai), func(a *passport.Approval) { a.Lifetime = 0 }, problem.Invalid, "expiresInSeconds"},
		"negative life": {pending(openai), func(a *passport.Approval) { a.Lifetime = -time.Hour }, problem.Invalid, "expiresInSeconds"},
		"short life":    {pending(openai), func(a *passport.Approval) { a.Lifetime = passport.MinLifetime - 1 }, problem.Invalid, "expiresInSeconds"},
		"long life":     {pending(openai), func(a *passport.Approval) { a.Lifetime = passport.MaxLifetime + 1 }, problem.Invalid, "expiresInSeconds"},
		"more money":    {pending(openai), func(a *passport.Approval) { a.Narrowed = []passport.Detail{{MaxBudgetCents: l(501)}} }, problem.Invalid, "maxBudgetCents"},
		"more of the second": {pending(google, openai), func(a *passport.Approval) { a.Narrowed = []passport.Detail{{}, {Models: []string{"c"}}} },
			problem.Invalid, "models"},
		"nothing kept":      {pending(openai), func(a *passport.Approval) { a.Kept = []bool{false} }, problem.Invalid, "scope"},
		"kept by a gap":     {pending(openai), func(a *passport.Approval) { a.Kept = []bool{} }, problem.Invalid, "scope"},
		"nothing asked":     {pending(), func(*passport.Approval) {}, problem.Invalid, "scope"},
		"over before begun": {pending(openai), func(a *passport.Approval) { a.Narrowed = []passport.Detail{{ExpiresAt: l(noon.Unix())}} }, problem.Invalid, "expiresAt"},
		"over since 1970":   {pending(openai), func(a *passport.Approval) { a.Narrowed = []passport.Detail{{ExpiresAt: l(0)}} }, problem.Invalid, "expiresAt"},
	} {
		a := ok
		r.change(&a)
		got, err := r.g.Approve(a, noon)
		if p := problem.From(err); err == nil || p.Kind != r.kind || p.Field != r.field || got.ID != "" {
			t.Errorf("%s: got %+v, %v; want kind %d in %q", name, got, err, r.kind, r.field)
		}
	}
	for _, s := range states {
		g := pending(openai)
		g.State = s
		_, err := g.Approve(ok, noon)
		if want := s == passport.GrantPending; (err == nil) != want || err != nil && problem.KindOf(err) != problem.Conflict {
			t.Errorf("%s: got %v, want it approved: %v", s, err, want)
		}
	}
	if _, err := pending(openai).Approve(ok, noon.Add(time.Hour)); problem.KindOf(err) != problem.Conflict {
		t.Errorf("asked too long ago: got %v, want a Conflict", err)
	}
}

// The grant ends with the earliest of its details and never after its lifetime, to the fraction of a second.
func TestApproveEndsWithItsDetails(t *testing.T) {
	half, end := noon.Add(time.Second/2), noon.Add(2*time.Second)
	one := openai
	one.ExpiresAt = passport.LimitOf(end.Unix()) // half a second before the lifetime is over
	got, err := pending(one).Approve(passport.Approval{Owner: "p1", Lifetime: 2 * time.Second, Defaults: defaults}, half)
	if err != nil || !got.ExpiresAt.Equal(end) {
		t.Errorf("got %v, %v; want %v", got.ExpiresAt, err, end)
	}
	rapid.Check(t, func(t *rapid.T) {
		now := noon.Add(time.Duration(rapid.Int64Range(0, 999_999_999).Draw(t, "now")))
		life := time.Duration(rapid.Int64Range(int64(passport.MinLifetime), int64(10*time.Second)).Draw(t, "life"))
		one, two := openai, google
		want := now.Add(life)
		for _, d := range []*passport.Detail{&one, &two} {
			if rapid.Bool().Draw(t, "ends") {
				end := rapid.Int64Range(2, 12).Draw(t, "end")
				d.ExpiresAt = passport.LimitOf(noon.Unix() + end)
				if e := noon.Add(time.Duration(end) * time.Second); e.Before(want) {
					want = e
				}
			}
		}
		got, err := pending(one, two).Approve(passport.Approval{Owner: "p1", Lifetime: life, Defaults: defaults}, now)
		if err != nil {
			t.Fatal(err)
		}
		if !got.ExpiresAt.Equal(want) {
			t.Fatalf("got %v, want %v", got.ExpiresAt, want)
		}
	})
}

// No approved grant has an open limit, whatever was asked, narrowed and set as default; and none gives more than was asked.
func TestApprovedHasNoOpenLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := drawDetail().Draw(t, "asked")
		asked.ExpiresAt = passport.Limit{}
		n := drawNarrowing(asked).Draw(t, "narrowing")
		n.ExpiresAt = passport.Limit{}
		def := passport.Limits{MaxBudgetCents: limit(passport.MaxCents).Draw(t, "cents"), MaxRequests: limit(100).Draw(t, "calls"), RateLimit: limit(100).Draw(t, "rate")}
		got, err := pending(asked).Approve(passport.Approval{Owner: "p1", Lifetime: time.Hour, Narrowed: []passport.Detail{n}, Defaults: def}, noon)
		if err != nil {
			t.Skip("not a narrowing")
		}
		d := got.Details[0]
		for _, l := range []passport.Limit{d.MaxBudgetCents, d.MaxRequests, d.RateLimit} {
			if _, set := l.Get(); !set {
				t.Fatalf("an open limit in %+v", d)
			}
		}
		if why := within(d, asked); why != "" {
			t.Fatalf("%+v goes beyond %+v: %s", d, asked, why)
		}
		if d.Limits() != (passport.Limits{MaxBudgetCents: d.MaxBudgetCents, MaxRequests: d.MaxRequests, RateLimit: d.RateLimit}) {
			t.Fatalf("got %+v", d.Limits())
		}
	})
}

func TestTitles(t *testing.T) {
	got := ""
	for _, p := range append(slices.Clone(passport.Providers), "other") {
		got += fmt.Sprintln(p.Title())
	}
	if want := "OpenAI\nAnthropic\nGoogle\nother\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
