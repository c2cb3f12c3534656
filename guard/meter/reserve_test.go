package meter_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNewRefusesWhatIsNotWhole(t *testing.T) {
	whole := open(t).config
	for name, change := range map[string]func(*meter.Config){
		"no ledger":    func(c *meter.Config) { c.Ledger = nil },
		"no tariff":    func(c *meter.Config) { c.Tariff = nil },
		"no clock":     func(c *meter.Config) { c.Now = nil },
		"no ids":       func(c *meter.Config) { c.NewID = nil },
		"no flights":   func(c *meter.Config) { c.MaxInFlight = 0 },
		"minus flight": func(c *meter.Config) { c.MaxInFlight = -1 },
	} {
		c := whole
		change(&c)
		if m, err := meter.New(c); err == nil || m != nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

func TestAHoldSaysAllOfTheCall(t *testing.T) {
	d := open(t)
	c := ask(passport.LimitOf(460))
	c.Stream = true
	r := d.mustReserve(c)
	want := passport.Hold{ID: "r000001", Grant: "g", Provider: passport.OpenAI, Model: "plain", Stream: true, Amount: 2000, Least: 2000,
		Tariff: d.config.Tariff.Now().Version(), At: d.clock.Now()}
	if diff := cmp.Diff(want, d.ledger.holds[0]); diff != "" {
		t.Errorf("hold (-want +got):\n%s", diff)
	}
	if r.ID != "r000001" || r.Amount != 2000 || r.MaxOutput != 460 || r.Held.Total.Left() != passport.Dollar-2000 {
		t.Errorf("reservation: %s, %d, cap %d, left %s", r.ID, r.Amount, r.MaxOutput, r.Held.Total.Left())
	}
}

// The checks have one order: each case has what the one before lacked, and is stopped by the next check.
func TestOrderOfChecks(t *testing.T) {
	d := open(t, func(c *meter.Config, p *passport.Detail) {
		c.MaxInFlight, p.RateLimit, p.MaxBudgetCents = 1, passport.LimitOf(1), passport.LimitOf(1)
	})
	c := passport.Call{Provider: passport.OpenAI, Kind: passport.KindChat, Model: "unknown", Uses: []passport.Capability{passport.Chat, passport.Images}, BodyBytes: 1000,
		Parts: 1, Choices: 1, MaxOutput: passport.LimitOf(0)}
	expect := func(kind problem.Kind, field string) {
		t.Helper()
		_, err := d.reserve(c)
		if p := problem.From(err); err == nil || p.Kind != kind || p.Field != field {
			t.Fatalf("got %v (kind %d, field %q), want kind %d, field %q", err, p.Kind, p.Field, kind, field)
		}
	}
	first := d.mustReserve(ask(passport.LimitOf(1)))
	expect(problem.Unpriced, "model")
	c.Model = "plain"
	expect(problem.Unpriced, "") // pictures
	c.Uses = c.Uses[:1]
	expect(problem.Invalid, "max_tokens")
	c.MaxOutput = passport.LimitOf(100_000)
	expect(problem.Busy, "")
	first.Settle(t.Context(), passport.Finished, passport.Usage{})
	expect(problem.RateExceeded, "")
	d.clock.add(time.Minute)
	expect(problem.BudgetSpent, "")
	if n := len(d.ledger.holds); n != 2 {
		t.Errorf("the ledger was asked %d times, want for the first call and the last", n)
	}
	c.MaxOutput = passport.LimitOf(1)
	d.mustReserve(c).Settle(t.Context(), passport.NotSent, passport.Usage{})
	d.balanced()
}

func TestWhatHasNoPriceIsRefused(t *testing.T) {
	d := open(t, func(c *meter.Config, _ *passport.Detail) {
		c.Tariff = c.Tariff.Now().With(meter.ModelPrice{Provider: passport.OpenAI, Model: "soundless", Input: 1, InputAudio: 1, Output: 1})
	})
	for name, change := range map[string]func(*passport.Call){
		"unknown model":       func(c *passport.Call) { c.Model = "gpt-99" },
		"no model":            func(c *passport.Call) { c.Model = "" },
		"another's model":     func(c *passport.Call) { c.Provider = passport.Google },
		"a price of 0":        func(c *passport.Call) { c.Provider, c.Model = passport.Google, "gemma-4-31b-it" },
		"an embedding model":  func(c *passport.Call) { c.Model = "text-embedding-3-small" },
		"no use":              func(c *passport.Call) { c.Uses = nil },
		"images":              func(c *passport.Call) { c.Uses = []passport.Capability{passport.Images} },
		"audio too":           func(c *passport.Call) { c.Uses = []passport.Capability{passport.Chat, passport.Audio} },
		"programs too":        func(c *passport.Call) { c.Uses = []passport.Capability{passport.Chat, passport.Code} },
		"searches too":        func(c *passport.Call) { c.Uses = []passport.Capability{passport.Chat, passport.Search} },
		"no kind":             func(c *passport.Call) { c.Kind = "" },
		"another kind":        func(c *passport.Call) { c.Kind = passport.KindEmbedding },
		"sound unasked":       func(c *passport.Call) { c.Clips = []passport.Clip{{Seconds: passport.LimitOf(1)}} },
		"an image of nothing": func(c *passport.Call) { c.Images = []passport.Image{{Width: 0, Height: 5}} },
		"an image too large":  func(c *passport.Call) { c.Images = []passport.Image{{Width: 65_536, Height: 5}} },
		"a search, no window": func(c *passport.Call) {
			c.Model, c.Uses, c.Searches = "gpt-5.4", []passport.Capability{passport.Chat, passport.Search}, 1
		},
		"hidden input, no window": func(c *passport.Call) { c.Model, c.Hidden = "soundless", true },
		"sound, no window": func(c *passport.Call) {
			c.Model, c.Uses, c.Clips = "soundless", []passport.Capability{passport.Chat, passport.Audio}, []passport.Clip{{}}
		},
		"images of free sizes": func(c *passport.Call) {
			c.Model, c.Kind, c.Uses = "gpt-image-2", passport.KindImage, []passport.Capability{passport.Images}
		},
		"speech without an end": func(c *passport.Call) {
			c.Model, c.Kind, c.Uses = "gpt-4o-mini-tts", passport.KindSpeech, []passport.Capability{passport.Audio}
		},
		"seconds unknown": func(c *passport.Call) {
			c.Model, c.Kind, c.Uses, c.Clips = "whisper-1", passport.KindTranscription, []passport.Capability{passport.Audio}, []passport.Clip{{}}
		},
		"a use of tomorrow": func(c *passport.Call) { c.Uses = []passport.Capability{"dreams"} },
	} {
		c := ask(passport.LimitOf(1))
		change(&c)
		if _, err := d.reserve(c); problem.KindOf(err) != problem.Unpriced {
			t.Errorf("%s: got %v, want Unpriced", name, err)
		}
	}
	if _, err := d.Reserve(t.Context(), d.grant, 1, ask(passport.LimitOf(1))); err == nil {
		t.Error("a detail that is not there was taken")
	}
	if len(d.ledger.holds) > 0 {
		t.Errorf("the ledger was asked: %+v", d.ledger.holds)
	}
}

func TestNoCapOfNothingAndNothingBelow(t *testing.T) {
	d := open(t)
	for _, n := range []int64{0, -1} {
		if _, err := d.reserve(ask(passport.LimitOf(n))); problem.KindOf(err) != problem.Invalid || problem.From(err).Field != "max_tokens" {
			t.Errorf("cap %d: %v", n, err)
		}
	}
	for name, change := range map[string]func(*passport.Call){
		"no choice":        func(c *passport.Call) { c.Choices = 0 },
		"a negative body":  func(c *passport.Call) { c.BodyBytes = -1 },
		"a dear cap":       func(c *passport.Call) { c.MaxOutput = passport.LimitOf(1<<63 - 1) },
		"as dear as it is": func(c *passport.Call) { c.MaxOutput, c.Choices = passport.LimitOf(1<<63-1), 1<<63-1 },
		"no cap, a body":   func(c *passport.Call) { c.MaxOutput, c.BodyBytes = passport.Limit{}, -1 },
	} {
		c := ask(passport.LimitOf(1))
		change(&c)
		if _, err := d.reserve(c); problem.KindOf(err) != problem.BudgetSpent {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheLedgersRefusalsPass(t *testing.T) {
	limit := func(cents, calls int64) func(*meter.Config, *passport.Detail) {
		return func(_ *meter.Config, p *passport.Detail) {
			p.MaxBudgetCents, p.MaxRequests = passport.LimitOf(cents), passport.LimitOf(calls)
		}
	}
	for _, tt := range []struct {
		name   string
		limits func(*meter.Config, *passport.Detail)
		do     func(*desk)
		want   problem.Kind
	}{
		{"a cap of 0 is 0", limit(0, 9), func(*desk) {}, problem.BudgetSpent},
		{"0 calls are 0", limit(9, 0), func(*desk) {}, problem.CallsSpent},
		{"paused", limit(9, 9), func(d *desk) { d.to(passport.GrantPaused) }, problem.GrantPaused},
		{"revoked", limit(9, 9), func(d *desk) { d.to(passport.GrantRevoked) }, problem.GrantEnded},
		{"unknown", limit(9, 9), func(d *desk) { d.grant.ID = "other" }, problem.NotFound},
	} {
		d := open(t, tt.limits)
		tt.do(d)
		for _, out := range []passport.Limit{passport.LimitOf(1), {}} {
			if _, err := d.reserve(ask(out)); problem.KindOf(err) != tt.want {
				t.Errorf("%s, output cap %s: got %v", tt.name, out, err)
			}
		}
		if len(d.ledger.settled) > 0 {
			t.Errorf("%s: what was never held was settled: %+v", tt.name, d.ledger.settled)
		}
	}
}

func (d *desk) to(state passport.GrantState) {
	d.t.Helper()
	g, err := d.grant.To(state, d.clock.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	d.change(g)
}

func TestOutputCap(t *testing.T) {
	longest := func(n int64) meter.ModelPrice {
		p := plain
		p.MaxOutput = n
		return p
	}
	for _, tt := range []struct {
		name   string
		model  meter.ModelPrice
		left   passport.Money // of the budget
		asked  passport.Limit
		cap    int64 // 0: refused
		amount passport.Money
	}{
		{"asked", plain, passport.Dollar, passport.LimitOf(460), 460, 2000},
		{"asked above the model's own", plain, passport.Dollar, passport.LimitOf(20_000), 20_000, 1080 + 40_000},
		{"not asked", plain, passport.Dollar, passport.Limit{}, 10_000, 1080 + 20_000},
		{"not asked, the model's own unknown", longest(0), passport.Dollar, passport.Limit{}, 4096, 1080 + 8192},
		{"not asked, the model's own below the floor", longest(100), passport.Dollar, passport.Limit{}, 100, 1080 + 200},
		{"not asked, the model's own beyond all money", longest(1 << 60), passport.Dollar, passport.Limit{}, 499_460, passport.Dollar},
		{"what is left affords", plain, 5_000, passport.Limit{}, 1960, 5_000},
		{"an odd rest", plain, 5_001, passport.Limit{}, 1960, 5_001},
		{"just the floor", plain, 1080 + 512, passport.Limit{}, 256, 1080 + 512},
		{"below the floor", plain, 1080 + 511, passport.Limit{}, 0, 0},
		{"asked below the floor", plain, 1080 + 511, passport.LimitOf(255), 255, 1080 + 510},
		{"asked above what is left", plain, 5_000, passport.LimitOf(1961), 0, 0},
	} {
		d := open(t, func(c *meter.Config, _ *passport.Detail) { c.Tariff = c.Tariff.Now().With(tt.model) })
		if rest := int64(passport.Dollar - tt.left - 1080); rest > 0 {
			c := ask(passport.LimitOf(rest / 2))
			c.BodyBytes += rest % 2
			d.mustReserve(c)
		}
		r, err := d.reserve(ask(tt.asked))
		switch {
		case tt.cap == 0 && problem.KindOf(err) != problem.BudgetSpent:
			t.Errorf("%s: got %v, want BudgetSpent", tt.name, err)
		case tt.cap > 0 && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.cap > 0 && (r.MaxOutput != tt.cap || r.Amount != tt.amount):
			t.Errorf("%s: cap %d for %d, want %d for %d", tt.name, r.MaxOutput, r.Amount, tt.cap, tt.amount)
		}
	}
}

// With less money than the asked cap costs, a call that wants it gets the largest cap that the money pays for, and a refusal below
// what makes sense.
func TestALowerOutputCapWhereTheMoneyIsShort(t *testing.T) {
	for _, tt := range []struct {
		name         string
		left         passport.Money
		asked, least int64
		cap          int64 // 0: refused
		amount       passport.Money
	}{
		{"there is enough", passport.Dollar, 460, 0, 460, 2000},
		{"what is left affords", 5_000, 9000, 0, 1960, 5_000},
		{"just what was asked", 5_000, 1960, 0, 1960, 5_000},
		{"one too many", 5_000, 1961, 0, 1960, 5_000},
		{"just the floor", 1080 + 512, 9000, 0, 256, 1080 + 512},
		{"below the floor", 1080 + 511, 9000, 0, 0, 0},
		{"asked below the floor", 1080 + 510, 255, 0, 255, 1080 + 510},
		{"asked below the floor, not affordable", 1080 + 509, 255, 0, 0, 0},
		{"room for thinking", 1080 + 2*1280, 9000, 1280, 1280, 1080 + 2*1280},
		{"no room for thinking", 1080 + 2*1280 - 1, 9000, 1280, 0, 0},
		{"thinking beyond what was asked", 1080 + 2*1000, 1000, 1280, 1000, 1080 + 2*1000},
		{"more than any money pays for", 5_000, 1 << 60, 0, 1960, 5_000},
	} {
		d := open(t)
		if rest := int64(passport.Dollar - tt.left - 1080); rest > 0 {
			c := ask(passport.LimitOf(rest / 2))
			c.BodyBytes += rest % 2
			d.mustReserve(c)
		}
		c := ask(passport.LimitOf(tt.asked))
		c.Clamp, c.MinOutput = true, tt.least
		r, err := d.reserve(c)
		switch {
		case tt.cap == 0 && problem.KindOf(err) != problem.BudgetSpent:
			t.Errorf("%s: got %v, want BudgetSpent", tt.name, err)
		case tt.cap > 0 && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.cap > 0 && (r.MaxOutput != tt.cap || r.Amount != tt.amount):
			t.Errorf("%s: cap %d for %d, want %d for %d", tt.name, r.MaxOutput, r.Amount, tt.cap, tt.amount)
		}
	}
}

// A call that names no cap gets one that leaves room for what it sets aside for thinking, or none at all.
func TestACapOfOursLeavesRoomForThinking(t *testing.T) {
	for least, affords := range map[int64]int64{0: 256, 1280: 1280} {
		for _, short := range []passport.Money{0, 1} {
			d := open(t)
			c := ask(passport.LimitOf(int64(passport.Dollar-passport.Money(1080+2*affords)+short-1080) / 2))
			c.BodyBytes += int64(passport.Dollar-passport.Money(1080+2*affords)+short-1080) % 2
			d.mustReserve(c)
			c = ask(passport.Limit{})
			c.MinOutput = least
			r, err := d.reserve(c)
			switch {
			case short > 0 && problem.KindOf(err) != problem.BudgetSpent:
				t.Errorf("at least %d, %d micro-dollars short: got %v, want BudgetSpent", least, short, err)
			case short == 0 && (err != nil || r.MaxOutput != affords):
				t.Errorf("at least %d: %v %v, want a cap of %d", least, r, err, affords)
			}
		}
	}
}

// part is a ledger that holds as much as it is told of what is asked.
type part struct {
	generous
	amount func(passport.Hold) passport.Money
}

func (p part) Hold(_ context.Context, h passport.Hold) (passport.Held, error) {
	return passport.Held{Amount: p.amount(h)}, nil
}

func TestAnOutputCapOfOursFitsItsHoldAndIsTheLargest(t *testing.T) {
	tf := tariff(t)
	rapid.Check(t, func(rt *rapid.T) {
		p, c := anyPrice(rt, tf), anyCall(rt)
		p.Kind = passport.KindChat
		c.Provider, c.Kind, c.Model, c.Uses = p.Provider, p.Kind, p.Model, []passport.Capability{passport.Chat}
		now := time.Unix(0, 0)
		var h passport.Hold
		m, err := meter.New(meter.Config{Tariff: tf.With(p), MaxInFlight: 1, Now: func() time.Time { return now }, NewID: func() string { return "r" },
			Ledger: part{amount: func(asked passport.Hold) passport.Money {
				h = asked
				return passport.Money(rapid.Int64Range(int64(h.Least), int64(h.Amount)).Draw(rt, "held"))
			}}})
		if err != nil {
			rt.Fatal(err)
		}
		r, err := m.Reserve(context.Background(), passport.Grant{ID: "g", Details: []passport.Detail{{RateLimit: passport.LimitOf(1)}}}, 0, c)
		if p.WorstCase(c, 256) > passport.MaxMoney {
			if k := problem.KindOf(err); k != problem.Unpriced && k != problem.BudgetSpent {
				rt.Fatalf("%+v at %+v: got %v, want no price or no money", c, p, err)
			}
			return
		}
		if err != nil {
			rt.Fatalf("%+v at %+v: %v", c, p, err)
		}
		wish := p.MaxOutput
		if wish == 0 {
			wish = 4096
		}
		if r.MaxOutput < min(256, wish) || r.MaxOutput > wish || p.WorstCase(c, r.MaxOutput) > r.Amount {
			rt.Fatalf("cap %d of %d costs %d at worst, %d is held", r.MaxOutput, wish, p.WorstCase(c, r.MaxOutput), r.Amount)
		}
		if r.MaxOutput < wish && p.WorstCase(c, r.MaxOutput+1) <= r.Amount {
			rt.Fatalf("cap %d, and %d would fit %d too", r.MaxOutput, r.MaxOutput+1, r.Amount)
		}
		u := anyUsage(rt, p, c, r.MaxOutput)
		want := p.Cost(u)
		if p.Character > 0 { // no usage tells of characters: TestNoUsageTellsOfCharacters
			want = r.Amount
		}
		if got := r.Settle(context.Background(), passport.Finished, u); got > r.Amount || got != want {
			rt.Fatalf("charged %d for %+v, want %d, held %d", got, u, want, r.Amount)
		}
	})
}

func TestAHoldBelowTheLeastIsNotUsed(t *testing.T) {
	d := open(t, func(c *meter.Config, _ *passport.Detail) {
		c.Ledger = part{amount: func(h passport.Hold) passport.Money { return h.Least - 1 }}
	})
	for _, out := range []passport.Limit{passport.LimitOf(1), {}} {
		if _, err := d.reserve(ask(out)); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("got %v, want Unavailable", err)
		}
	}
}

func TestAnUnknownOutcomeOfAHoldIsVoided(t *testing.T) {
	disk := errors.New("disk full")
	for name, tt := range map[string]struct {
		when storetest.When
		err  error
	}{
		"failed before":                 {storetest.Before, disk},
		"failed, and did it":            {storetest.After, disk},
		"given up, and did it":          {storetest.After, context.Canceled},
		"unavailable, and did it":       {storetest.After, problem.Wrap(disk, problem.Unavailable, "later")},
		"an internal error, and did it": {storetest.After, problem.New(problem.Internal, "bug")},
	} {
		d := open(t, func(c *meter.Config, p *passport.Detail) { c.MaxInFlight, p.RateLimit = 1, passport.LimitOf(1) })
		d.ledger.Fail("Hold", tt.when, tt.err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Reserve(ctx, d.grant, 0, ask(passport.LimitOf(460))); problem.KindOf(err) != problem.Unavailable || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, want Unavailable with its cause", name, err)
		}
		d.ledger.Fail("Hold", 0, nil)
		if s := d.standing().Total; s.Held != 0 || s.Settled != 0 || s.Calls != 0 {
			t.Errorf("%s: left behind %+v", name, s)
		}
		want := []passport.Settlement{{ID: "r000001", Grant: "g", Why: passport.NotSent, At: d.clock.Now()}}
		if diff := cmp.Diff(want, d.ledger.settled); diff != "" {
			t.Errorf("%s: settled (-want +got):\n%s", name, diff)
		}
		d.mustReserve(ask(passport.LimitOf(1))) // the places in flight and in the rate are free
		d.balanced()
	}
}

// A reservation of the same name belongs to another call, which may be at the provider now.
func TestAnIDTwiceDoesNotVoidTheFirst(t *testing.T) {
	d := open(t, func(c *meter.Config, _ *passport.Detail) { c.NewID = func() string { return "same" } })
	first := d.mustReserve(ask(passport.LimitOf(460)))
	if _, err := d.reserve(ask(passport.LimitOf(1))); problem.KindOf(err) != problem.Internal {
		t.Errorf("got %v, want Internal", err)
	}
	if s := d.standing().Total; s.Held != 2000 || s.Calls != 1 {
		t.Errorf("the first hold is gone: %+v", s)
	}
	if got := first.Settle(t.Context(), passport.Broken, passport.Usage{}); got != 2000 {
		t.Errorf("charged %d, want 2000", got)
	}
	d.balanced()
}
