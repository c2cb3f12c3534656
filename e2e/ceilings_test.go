package e2e_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// limit sets a monthly limit on the owner's page; no dollars remove it.
func (p *person) limit(name, dollars string) {
	p.b.t.Helper()
	p.open("/limits")
	v := url.Values{"do": {"set"}, "money": {dollars}}
	if dollars == "" {
		v = url.Values{"do": {"remove"}}
	}
	p.submit("/limits/"+name, v)
	if p.page.status != 200 || p.path != "/limits" {
		p.b.t.Fatalf("limit %s %q: at %s: %s", name, dollars, p.path, p.page)
	}
}

// tenThousandths writes an amount as pages write one below a dollar that was spent: up to four decimals, rounded up.
func tenThousandths(micros int64) string {
	n := (micros + 99) / 100
	s := strings.TrimRight(fmt.Sprintf("%d.%04d", n/10_000, n%10_000), "0")
	for len(s)-strings.IndexByte(s, '.') < 3 {
		s += "0"
	}
	return "$" + s
}

// fewTenths are the output tokens that make a call hold a few tenths of a cent.
var fewTenths = map[string]int{"openai": 4000, "anthropic": 150, "google": 1000}

// TestThreat01TwoAppsStayWithinOneMonthlyLimit: 200 calls at once through both, each billed as much as it can be. What is billed is
// within the limit at all times, what is on the page is what was billed, and but for two calls all of it can be used.
func TestThreat01TwoAppsStayWithinOneMonthlyLimit(t *testing.T) {
	const most, aCall = 100_000, 4000 // at worst
	for _, s := range native {
		t.Run(s.name, func(t *testing.T) {
			b := start(t, nil)
			p := b.setUp()
			p.limit("all", "0.1")
			grants := []grant{b.give(s.scope(100_000, 100_000)), b.give(s.scope(100_000, 100_000))}
			b.fake.When("rush", fakeprovider.Behaviour{Worst: true})
			statuses := make(chan int, crowd)
			var all sync.WaitGroup
			for i := range crowd {
				all.Go(func() {
					path := s.path
					if i%4 == 0 {
						path = s.streamPath
					}
					a, err := b.try("POST", path, s.body(s.model, "rush", fewTenths[s.name], i%4 == 0), s.auth(grants[i%2].token))
					if err != nil {
						t.Error(err)
					}
					statuses <- a.status
				})
			}
			all.Wait()
			got := map[int]int{}
			for range crowd {
				got[<-statuses]++
			}
			if got[200]+got[429] != crowd || got[200] == 0 || got[429] == 0 {
				t.Errorf("answers %v", got)
			}
			for i := 0; ; i++ { // what came back when calls were settled can be used
				a := b.send("POST", s.path, s.body(s.model, "rush", fewTenths[s.name], false), s.auth(grants[i%2].token))
				if a.status == 429 {
					break
				}
				if a.status != 200 || i > 200 {
					t.Fatalf("call %d: %s", i, a)
				}
			}
			settled := b.settled(grants[0].id).SettledMicroUsd + b.settled(grants[1].id).SettledMicroUsd
			if billed := b.fake.Billed(); settled < billed || settled > most || billed < most-2*aCall {
				t.Errorf("billed %d, settled %d, of %d", billed, settled, most)
			}
			p.open("/limits")
			for _, want := range []string{tenThousandths(settled) + "spent of $0.10 in ", "Nothing is held for running calls"} {
				if !strings.Contains(p.text(), want) {
					t.Errorf("the page does not say %q: %s", want, p.text())
				}
			}
		})
	}
}

// TestKeysLimitIsOverAllAppsAndOneProvider: its money is spent by two apps; the other provider's calls go on; the page has the sum.
func TestKeysLimitIsOverAllAppsAndOneProvider(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	openai, google := native[0], native[2]
	p.limit("openai", "0.10")
	one, two, other := b.give(openai.scope(1000, 1000)), b.give(openai.scope(1000, 1000)), b.give(google.scope(1000, 1000))
	b.fake.Always(fakeprovider.Behaviour{Worst: true})
	calls := 0
	for ; ; calls++ {
		g := []grant{one, two}[calls%2]
		a := b.send("POST", openai.path, openai.body(openai.model, "x", 4000, false), openai.auth(g.token))
		if a.status == 429 {
			if said := a.str("error.message"); !strings.Contains(said, "the owner's limit for OpenAI for this month") {
				t.Errorf("refused with %q", said)
			}
			break
		}
		if a.status != 200 || calls > 100 {
			t.Fatalf("call %d: %s", calls, a)
		}
	}
	sum := b.settled(one.id).SettledMicroUsd + b.settled(two.id).SettledMicroUsd
	if calls < 10 || sum > 100_000 || b.fake.Billed() > sum {
		t.Errorf("%d calls: settled %d, billed %d, of 100,000", calls, sum, b.fake.Billed())
	}
	if a := b.call(google, other.token, "x"); a.status != 200 {
		t.Errorf("another provider: %s", a)
	}
	p.open("/limits")
	if want := tenThousandths(sum) + "spent of $0.10"; !strings.Contains(p.text(), want) {
		t.Errorf("the page does not say %q: %s", want, p.text())
	}
	p.open("/")
	if !strings.Contains(p.text(), "% of your limit for") || !strings.Contains(p.text(), "spent for OpenAI") {
		t.Errorf("the list does not tell that the limit is nearly used up: %s", p.text())
	}
	p.limit("openai", "") // removed: what each app may spend is all that counts
	if a := b.send("POST", openai.path, openai.body(openai.model, "x", 4000, false), openai.auth(one.token)); a.status != 200 {
		t.Errorf("after the limit was removed: %s", a)
	}
}

// TestARefusalByALimitInEachDialect: 429 in the caller's words, which limit but not what the owner has, and that it does not help to
// try again. A limit of 0 lets nothing through, one that is raised lets calls through again.
func TestARefusalByALimitInEachDialect(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	for _, s := range everyone {
		g := b.give(s.scope(1000, 1000))
		for _, dollars := range []string{"0", "0.00"} {
			p.limit("all", dollars)
			n := len(b.fake.Requests())
			a := b.call(s, g.token, "x")
			said := a.str("error.message")
			if strings.HasPrefix(s.name, "proxy") {
				said = string(a.body)
			}
			if a.status != 429 || a.header.Get("X-Should-Retry") != "false" || !strings.Contains(said, "the owner's limit for this month") || len(b.fake.Requests()) != n {
				t.Errorf("%s: %s", s.name, a)
			}
			if left := a.header.Get("AIPassport-Budget-Remaining-Micro-Usd"); left != "0" {
				t.Errorf("%s: refused with %q left", s.name, left)
			}
			if st := b.standing(g.id); st.UsageCount != 0 || st.ReservedMicroUsd != 0 {
				t.Errorf("%s: a refused call left %+v", s.name, st)
			}
		}
		p.limit("all", "100")
		a := b.call(s, g.token, "x")
		if a.status != 200 {
			t.Errorf("%s: after the limit was raised: %s", s.name, a)
		}
		if left, err := strconv.ParseInt(a.header.Get("AIPassport-Budget-Remaining-Micro-Usd"), 10, 64); err != nil || left > 10_000_000 {
			t.Errorf("%s: %d left of a grant of $10: %v", s.name, left, err)
		}
		p.limit("all", "2.50")
		a = b.call(s, g.token, "x")
		if left, err := strconv.ParseInt(a.header.Get("AIPassport-Budget-Remaining-Micro-Usd"), 10, 64); err != nil || left > 2_500_000 || left < 2_000_000 {
			t.Errorf("%s: %d left of a limit of $2.50: %v", s.name, left, err)
		}
	}
}

// TestThreat29OneAppDoesNotShutOthersOut: an app whose calls never end holds what it can of a shared limit. It is told to wait, and
// the other's calls are made.
func TestThreat29OneAppDoesNotShutOthersOut(t *testing.T) {
	for _, s := range native {
		t.Run(s.name, func(t *testing.T) {
			b := start(t, nil)
			p := b.setUp()
			p.limit("all", "0.1")
			greedy, other := b.give(s.scope(100_000, 100_000)), b.give(s.scope(100_000, 100_000))
			release := make(chan struct{})
			b.fake.When("greedy", fakeprovider.Behaviour{BeforeHeaders: release})
			var all sync.WaitGroup
			refused := make(chan answer, crowd)
			for range crowd {
				all.Go(func() {
					a, err := b.try("POST", s.path, s.body(s.model, "greedy", fewTenths[s.name], false), s.auth(greedy.token))
					if err != nil {
						t.Error(err)
					}
					refused <- a
				})
			}
			a := <-refused // the others wait for the provider, or are refused too
			if a.status != 429 || a.header.Get("Retry-After") == "" || a.header.Get("X-Should-Retry") == "false" {
				t.Errorf("a greedy app: %s %v", a, a.header)
			}
			if held := b.standing(greedy.id).ReservedMicroUsd; held > 50_000 {
				t.Errorf("one app holds %d of 100,000", held)
			}
			if a := b.send("POST", s.path, s.body(s.model, "modest", fewTenths[s.name], false), s.auth(other.token)); a.status != 200 {
				t.Errorf("the other app: %s", a)
			}
			held := b.standing(greedy.id).ReservedMicroUsd
			if err := b.fake.Await(testutil.Context(t), func([]*fakeprovider.Request) bool { return len(b.fake.With("greedy")) > 0 }); err != nil || held == 0 {
				t.Fatalf("nothing is held: %v", err)
			}
			close(release)
			all.Wait()
		})
	}
}
