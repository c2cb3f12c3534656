package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

const (
	crowd = 200 // parallel calls
	fit   = 10  // of which so many fit
)

// rush makes many calls at once, with several tokens, and returns how many answered with each status. Calls that the fake
// holds back are let go when all others are refused.
func (b *broker) rush(s speaker, g grant, n, fit, maxTokens int, streaming bool) map[int]int {
	b.t.Helper()
	release := make(chan struct{})
	b.fake.When("rush", fakeprovider.Behaviour{BeforeHeaders: release, Worst: true})
	tokens := []string{g.token, b.token(g.asked), b.token(g.asked)}
	statuses := make(chan int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			path := s.path
			if streaming {
				path = s.streamPath
			}
			a, err := b.try("POST", path, s.body(s.model, "rush", maxTokens, streaming), s.auth(tokens[i%len(tokens)]))
			if err != nil {
				b.t.Error(err)
			}
			statuses <- a.status
		})
	}
	got := map[int]int{}
	for range n - fit { // these can't wait for the fake: they are refused, or there are too many of the others and this hangs
		got[<-statuses]++
	}
	if err := b.fake.Await(testutil.Context(b.t), func(rs []*fakeprovider.Request) bool { return len(b.fake.With("rush")) >= fit }); err != nil {
		b.t.Fatal(err)
	}
	close(release)
	all.Wait()
	for range fit {
		got[<-statuses]++
	}
	return got
}

// TestThreat01CallsNeverPassTheCap: 200 at once on 10.
func TestThreat01CallsNeverPassTheCap(t *testing.T) {
	for _, streaming := range []bool{false, true} {
		for _, s := range native {
			t.Run(fmt.Sprintf("%s/stream=%v", s.name, streaming), func(t *testing.T) {
				b := start(t, nil)
				g := b.give(s.scope(100_000, fit))
				got := b.rush(s, g, crowd, fit, 50, streaming)
				if got[200] != fit || got[429] != crowd-fit || len(b.fake.Requests()) != fit {
					t.Errorf("answers %v, upstream %d, want %d", got, len(b.fake.Requests()), fit)
				}
				if st := b.settled(g.id); st.UsageCount != fit {
					t.Errorf("usageCount %d, want %d", st.UsageCount, fit)
				}
			})
		}
	}
}

// hold says what a call of so many tokens sets aside, by making it with a grant of its own.
func (b *broker) hold(s speaker, maxTokens int) int64 {
	b.t.Helper()
	release := make(chan struct{})
	b.fake.When("rush", fakeprovider.Behaviour{BeforeHeaders: release})
	g := b.give(s.scope(100_000, 1))
	n := len(b.fake.Requests())
	done := make(chan answer, 1)
	go func() {
		a, err := b.try("POST", s.path, s.body(s.model, "rush", maxTokens, false), s.auth(g.token))
		if err != nil {
			b.t.Error(err)
		}
		done <- a
	}()
	if err := b.fake.AwaitCalls(testutil.Context(b.t), n+1); err != nil {
		b.t.Fatal(err)
	}
	held := b.standing(g.id).ReservedMicroUsd
	close(release)
	if a := <-done; a.status != 200 || held <= 0 {
		b.t.Fatalf("held %d: %s", held, a)
	}
	return held
}

// TestThreat01MoneyNeverPassesTheCap: 200 at once on money for 10, and nine tenths of it can be used.
func TestThreat01MoneyNeverPassesTheCap(t *testing.T) {
	for _, streaming := range []bool{false, true} {
		for _, s := range native {
			t.Run(fmt.Sprintf("%s/stream=%v", s.name, streaming), func(t *testing.T) {
				b := start(t, nil)
				// As many output tokens as make ten calls cost just under 10 cents, and eleven more.
				each := map[string]float64{"openai": .6, "anthropic": 15, "google": 2.5}[s.name]
				tokens := 9500/int(each*10)*10 - 200
				held := b.hold(s, tokens)
				tokens += int(float64(9_800-held) / each)
				held = b.hold(s, tokens)
				if held*fit > 100_000 || held*(fit+1) <= 100_000 {
					t.Fatalf("a hold of %d does not go %d times into 100,000", held, fit)
				}
				before := len(b.fake.Requests())
				g := b.give(s.scope(10, 100_000))
				got := b.rush(s, g, crowd, fit, tokens, streaming)
				sent := b.fake.Requests()[before:]
				if got[200] != fit || got[429] != crowd-fit || len(sent) != fit {
					t.Errorf("answers %v, upstream %d, want %d", got, len(sent), fit)
				}
				for b.send("POST", s.path, s.body(s.model, "rush", tokens, false), s.auth(g.token)).status == 200 {
				} // what came back when the calls were settled can be used
				st := b.settled(g.id)
				if billed := fakeprovider.Billed(b.fake.Requests()[before:]); st.SettledMicroUsd < billed || st.SettledMicroUsd > 100_000 || billed < 90_000 {
					t.Errorf("settled %d, billed %d, of 100,000", st.SettledMicroUsd, billed)
				}
			})
		}
	}
}

// dearest is what a provider can bill at most for a stream whose caller goes: Google goes on to the end, the others stop soon.
func (s speaker) dearest() fakeprovider.Behaviour {
	return fakeprovider.Behaviour{Worst: true, Stops: s.provider != "google"}
}

// TestThreat02AbortBeforeUsageDoesNotDodgeTheCap: the client reads every delta and leaves before the usage, again and again. At
// no step has the provider billed more than what the ledger has settled and holds, and the cap holds.
func TestThreat02AbortBeforeUsageDoesNotDodgeTheCap(t *testing.T) {
	t.Parallel()
	for _, s := range anyone {
		t.Run(s.name, func(t *testing.T) {
			b := start(t, nil)
			bad := s.dearest()
			bad.BeforeEnd = make(chan struct{})
			b.fake.Always(bad)
			g := b.give(s.scope(5, 100_000))
			calls := 0
			for ; ; calls++ {
				st, err := b.stream(s, g.token, "abort", map[string]int{"openai": 8000, "anthropic": 900, "google": 2000}[s.provider])
				if err != nil {
					t.Fatal(err)
				}
				if st.res.StatusCode == http.StatusTooManyRequests {
					st.close()
					break
				}
				if err := st.piece(fakeprovider.DefaultChunks - 1); err != nil || calls > 100 {
					t.Fatalf("call %d: %v", calls, err)
				}
				st.close()
				if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
					t.Fatal(err)
				}
				if st, billed := b.standing(g.id), b.fake.Billed(); st.SettledMicroUsd+st.ReservedMicroUsd < billed {
					t.Fatalf("call %d: settled %d and held %d, billed %d", calls, st.SettledMicroUsd, st.ReservedMicroUsd, billed)
				}
			}
			st := b.settled(g.id)
			if billed := b.fake.Billed(); billed > 50_000 || st.SettledMicroUsd < billed || st.SettledMicroUsd > 50_000 || calls < 3 || billed == 0 {
				t.Errorf("%d calls: settled %d, billed %d, of 50,000", calls, st.SettledMicroUsd, billed)
			}
		})
	}
}

// TestThreat02ACutStreamCostsWhatWasSeen: less than its hold where the provider stops, the input exactly where it was told.
func TestThreat02ACutStreamCostsWhatWasSeen(t *testing.T) {
	b := start(t, nil)
	for _, s := range everyone {
		const output = 6000
		hold := b.hold(s, output)
		bad := s.dearest()
		bad.BeforeEnd = make(chan struct{})
		b.fake.When("seen", bad)
		g := b.give(s.scope(500, 100))
		before := b.fake.Billed()
		st, err := b.stream(s, g.token, "seen", output)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.piece(fakeprovider.DefaultChunks - 1); err != nil {
			t.Fatal(err)
		}
		st.close()
		if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
			t.Fatal(err)
		}
		got, billed := b.settled(g.id).SettledMicroUsd, b.fake.Billed()-before
		if got < billed || got >= hold || bad.Stops && got > hold/2 {
			t.Errorf("%s: settled %d, billed %d, held %d", s.name, got, billed, hold)
		}
	}
}

// TestThreat02CutsByTheProviderAreCharged: in mid-stream, and just before the usage.
func TestThreat02CutsByTheProviderAreCharged(t *testing.T) {
	b := start(t, nil)
	for _, s := range native {
		stops := s.dearest().Stops
		for name, bad := range map[string]fakeprovider.Behaviour{"in the middle": {CutAfter: 1, Worst: true, Stops: stops}, "before the usage": {CutAtEnd: true, Worst: true, Stops: stops},
			"no usage": {NoUsage: true, Worst: true}} {
			g := b.give(s.scope(500, 10))
			b.fake.Next(bad)
			before := b.fake.Billed()
			st, err := b.stream(s, g.token, "cut", 500)
			if err != nil {
				t.Fatal(err)
			}
			all, _ := st.rest()
			st.close()
			if name != "no usage" && whole(all) {
				t.Errorf("%s, %s: a broken stream looks whole: %s", s.name, name, all)
			}
			if got, billed := b.settled(g.id).SettledMicroUsd, b.fake.Billed()-before; got < billed || billed == 0 {
				t.Errorf("%s, %s: settled %d, billed %d", s.name, name, got, billed)
			}
		}
	}
}

// TestThreat05ZeroIsZero: a cap of 0, of money or of calls, lets nothing through.
func TestThreat05ZeroIsZero(t *testing.T) {
	b := start(t, nil)
	for _, s := range everyone {
		for _, sc := range []string{s.scope(0, 100), s.scope(100, 0)} {
			g := b.give(sc)
			if a := b.call(s, g.token, "x"); a.status != 429 || a.header.Get("X-Should-Retry") != "false" {
				t.Errorf("%s %s: %s", s.name, sc, a)
			}
		}
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d calls went upstream", n)
	}
}

// TestThreat05UnknownPriceIsRefused, also where the grant names no models.
func TestThreat05UnknownPriceIsRefused(t *testing.T) {
	b := start(t, nil)
	for _, s := range native {
		for _, models := range []string{`["no-such-model-9"]`, `[]`} {
			g := b.give(fmt.Sprintf(`{"provider":%q,"models":%s,"capabilities":["chat"],"maxBudgetCents":500}`, s.provider, models))
			path := s.path
			if s.provider == "google" {
				path = "/google/v1beta/models/no-such-model-9:generateContent"
			}
			if a := b.send("POST", path, s.body("no-such-model-9", "x", 50, false), s.auth(g.token)); a.status != 400 {
				t.Errorf("%s %s: %s", s.name, models, a)
			}
			if models == "[]" {
				if a := b.call(s, g.token, "x"); a.status != 200 {
					t.Errorf("%s: any model with a price: %s", s.name, a)
				}
			}
		}
	}
}

// TestThreat05InsaneUsageCostsTheHold: missing, negative, fractional, text, null. What is above the hold is recorded and
// freezes the grant.
func TestThreat05InsaneUsageCostsTheHold(t *testing.T) {
	b := start(t, nil)
	insane := map[string][]string{
		"openai":    {`null`, `{}`, `{"prompt_tokens":-5,"completion_tokens":1,"total_tokens":-4}`, `{"prompt_tokens":1.5,"completion_tokens":1,"total_tokens":2}`, `{"prompt_tokens":"1","completion_tokens":1,"total_tokens":2}`, `{"prompt_tokens":5}`, `{"prompt_tokens":99999999999999999999,"completion_tokens":1,"total_tokens":1}`},
		"anthropic": {`null`, `{}`, `{"input_tokens":-5,"output_tokens":1}`, `{"input_tokens":1.5,"output_tokens":1}`, `{"input_tokens":"1","output_tokens":1}`, `{"input_tokens":5}`},
		"google":    {`null`, `{}`, `{"promptTokenCount":-5,"candidatesTokenCount":1,"totalTokenCount":-4}`, `{"promptTokenCount":1.5,"candidatesTokenCount":1,"totalTokenCount":2}`, `{"promptTokenCount":"x","candidatesTokenCount":1}`},
	}
	for _, s := range native {
		maxTokens := 500
		held := func(streaming bool) int64 { // what is held for the very body below
			release := make(chan struct{})
			b.fake.Next(fakeprovider.Behaviour{BeforeHeaders: release})
			g := b.give(s.scope(500, 10))
			n := len(b.fake.Requests())
			done := make(chan struct{})
			go func() {
				defer close(done)
				path := s.path
				if streaming {
					path = s.streamPath
				}
				b.try("POST", path, s.body(s.model, "sane", maxTokens, streaming), s.auth(g.token))
			}()
			b.fake.AwaitCalls(testutil.Context(t), n+1)
			h := b.standing(g.id).ReservedMicroUsd
			close(release)
			<-done
			return h
		}
		for _, streaming := range []bool{false, true} {
			want := held(streaming)
			for _, usage := range append([]string{"-"}, insane[s.name]...) {
				bad := fakeprovider.Behaviour{RawUsage: usage}
				if usage == "-" {
					bad = fakeprovider.Behaviour{NoUsage: true}
				}
				b.fake.Next(bad)
				g := b.give(s.scope(500, 10))
				path := s.path
				if streaming {
					path = s.streamPath
				}
				a := b.send("POST", path, s.body(s.model, "sane", maxTokens, streaming), s.auth(g.token))
				if st := b.settled(g.id); st.SettledMicroUsd != want || want == 0 {
					t.Errorf("%s, stream %v, usage %s: settled %d, want the hold of %d (%d)", s.name, streaming, usage, st.SettledMicroUsd, want, a.status)
				}
			}
		}
		g := b.give(s.scope(50_000, 10))
		before := b.fake.Billed()
		b.fake.Next(fakeprovider.Behaviour{Tokens: &fakeprovider.Tokens{Input: 1_000_000, Output: 1_000_000}})
		b.call(s, g.token, "huge")
		st := b.settled(g.id)
		if billed := b.fake.Billed() - before; st.SettledMicroUsd != billed || st.Status != "paused" {
			t.Errorf("%s: billed %d above the hold: settled %d, %s", s.name, billed, st.SettledMicroUsd, st.Status)
		}
		if a := b.call(s, g.token, "after"); a.status != 403 {
			t.Errorf("%s: a call on a frozen grant: %s", s.name, a)
		}
	}
}

// TestThreat28LostConnectionsAreNotRetried: a keep-alive connection that the provider closes just before it answers. Each
// hold makes one request.
func TestThreat28LostConnectionsAreNotRetried(t *testing.T) {
	b := start(t, nil)
	for _, s := range native {
		g := b.give(s.scope(500, 100))
		for i := range 3 {
			if a := b.call(s, g.token, "warm"); a.status != 200 { // leaves a connection that is kept
				t.Fatal(a)
			}
			before := len(b.fake.Requests())
			b.fake.Next(fakeprovider.Behaviour{Drop: true}, fakeprovider.Behaviour{Drop: true})
			a := b.call(s, g.token, "lost")
			if a.status != 502 {
				t.Errorf("%s: %s", s.name, a)
			}
			sent := b.fake.Requests()[before:]
			if len(sent) != 1 {
				t.Errorf("%s: %d requests for one call", s.name, len(sent))
			}
			b.fake.Forget()
			if st := b.settled(g.id); st.UsageCount != int64(2*(i+1)) {
				t.Errorf("%s: usageCount %d after %d rounds", s.name, st.UsageCount, i+1)
			}
		}
		if st := b.settled(g.id); st.SettledMicroUsd <= 0 {
			t.Errorf("%s: what may have been billed cost %d", s.name, st.SettledMicroUsd)
		}
	}
}
