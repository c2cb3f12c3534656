package e2e_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/testutil"
	"github.com/devrelopers/aipassport/internal/valkeytest"
)

// two starts two brokers on one database, with one key file, one public address and one provider behind both.
func two(t *testing.T, database string, e env) (a, b *broker) {
	t.Helper()
	fake := testutil.Provider(t, providerKeys)
	with := env{"AIPASSPORT_DATABASE_URL": database, "AIPASSPORT_KEK_FILE": filepath.Join(t.TempDir(), "kek"), "AIPASSPORT_PUBLIC_URL": "http://localhost:8"}
	maps.Copy(with, e)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	a, b = startWith(t, fake, with), startWith(t, fake, with)
	a.keepSecret(password)
	b.keepSecret(password)
	return a, b
}

// rushBoth makes many calls at once through both brokers, with several tokens, and returns how many answered with each status.
// Calls that the fake holds back are let go when all others are refused.
func rushBoth(at [2]*broker, s speaker, g grant, n, fit, maxTokens int, streaming bool) map[int]int {
	a := at[0]
	a.t.Helper()
	release := make(chan struct{})
	a.fake.When("rush", fakeprovider.Behaviour{BeforeHeaders: release, Worst: true})
	tokens := []string{g.token, at[1].token(g.asked), a.token(g.asked)}
	statuses := make(chan int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			path := s.path
			if streaming {
				path = s.streamPath
			}
			got, err := at[i%2].try("POST", path, s.body(s.model, "rush", maxTokens, streaming), s.auth(tokens[i%len(tokens)]))
			if err != nil {
				a.t.Error(err)
			}
			statuses <- got.status
		})
	}
	got := map[int]int{}
	for range n - fit { // these can't wait for the fake: they are refused, or there are too many of the others and this hangs
		got[<-statuses]++
	}
	if err := a.fake.Await(testutil.Context(a.t), func([]*fakeprovider.Request) bool { return len(a.fake.With("rush")) >= fit }); err != nil {
		a.t.Fatal(err)
	}
	close(release)
	all.Wait()
	for range fit {
		got[<-statuses]++
	}
	return got
}

// TestThreat01TwoInstancesKeepOneCap: 320 calls at once through two brokers on money for 10, and on 10 calls.
func TestThreat01TwoInstancesKeepOneCap(t *testing.T) {
	t.Parallel()
	a, b := two(t, pgtest.Database(t), nil)
	at, s := [2]*broker{a, b}, native[0]
	const many = 320
	for _, streaming := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream=%v", streaming), func(t *testing.T) {
			// As many output tokens as make ten calls cost just under 10 cents, and eleven more.
			tokens := 15_000
			tokens += int(float64(9_800-a.hold(s, tokens)) / .6)
			held := a.hold(s, tokens)
			if held*fit > 100_000 || held*(fit+1) <= 100_000 {
				t.Fatalf("a hold of %d does not go %d times into 100,000", held, fit)
			}
			for name, g := range map[string]grant{"money": a.give(s.scope(10, 100_000)), "calls": b.give(s.scope(100_000, fit))} {
				before := len(a.fake.Requests())
				got := rushBoth(at, s, g, many, fit, tokens, streaming)
				sent := a.fake.Requests()[before:]
				if got[200] != fit || got[429] != many-fit || len(sent) != fit {
					t.Errorf("%s: answers %v, upstream %d, want %d", name, got, len(sent), fit)
				}
				for name == "money" && b.send("POST", s.path, s.body(s.model, "rush", tokens, false), s.auth(g.token)).status == 200 {
				} // what came back when the calls were settled can be used
				st := b.settled(g.id)
				if billed := fakeprovider.Billed(a.fake.Requests()[before:]); st.SettledMicroUsd < billed || name == "money" && (st.SettledMicroUsd > 100_000 || billed < 90_000) {
					t.Errorf("%s: settled %d, billed %d, of 100,000", name, st.SettledMicroUsd, billed)
				}
				if st != a.standing(g.id) {
					t.Errorf("%s: the two do not tell the same", name)
				}
			}
		})
	}
	a.verify()
}

// TestRateIsSharedByInstances: of 90 calls at once through two brokers as many pass as one minute may have.
func TestRateIsSharedByInstances(t *testing.T) {
	for name, e := range map[string]env{"Postgres": nil, "Valkey": {"AIPASSPORT_VALKEY_URL": "set below"}} {
		t.Run(name, func(t *testing.T) {
			if e != nil {
				e["AIPASSPORT_VALKEY_URL"] = valkeytest.New(t)
			}
			a, b := two(t, pgtest.Database(t), e)
			const limit, calls = 30, 90
			g := a.give(`{"provider":"openai","models":["gpt-4o-mini"],"capabilities":["chat"],"maxBudgetCents":500,"maxRequests":1000,"rateLimit":` + strconv.Itoa(limit) + `}`)
			statuses := make(chan int, calls)
			var all sync.WaitGroup
			for i := range calls {
				all.Go(func() {
					at := []*broker{a, b}[i%2]
					got, err := at.try("POST", native[0].path, openAIBody("gpt-4o-mini", "rate", 20, false), bearer(g.token))
					if err != nil {
						t.Error(err)
					}
					if got.status == 429 && got.header.Get("Retry-After") == "" {
						t.Errorf("a call above the rate is not told when to try again: %s", got)
					}
					statuses <- got.status
				})
			}
			all.Wait()
			n := map[int]int{}
			for range calls {
				n[<-statuses]++
			}
			if n[200] != limit || n[429] != calls-limit || len(a.fake.With("rate")) != limit {
				t.Errorf("answers %v, %d upstream, the limit is %d", n, len(a.fake.With("rate")), limit)
			}
		})
	}
}

// TestThreat09RevokeAtOneInstanceEndsStreamsAtAll: 25 live streams at each of two brokers end within a second of the answer to a
// revoke at one of them, and a pause and a stop do the same; nothing new goes upstream after the answer.
func TestThreat09RevokeAtOneInstanceEndsStreamsAtAll(t *testing.T) {
	a, b := two(t, pgtest.Database(t), nil)
	s := native[0]
	for _, how := range []string{"revoke", "pause", "stop", "stop own"} {
		t.Run(how, func(t *testing.T) {
			g := b.give(s.scope(5000, 1000))
			streams := append(a.live(s, g, 25), b.live(s, g, 25)...)
			path, want := "/grants/"+g.id+"/"+how, map[string]int{"revoke": 401, "pause": 403, "stop": 403, "stop own": 403}[how]
			if how == "stop" {
				path = "/stop"
			} else if how == "stop own" {
				path = "/stop?whose=mine"
			}
			asked := time.Now()
			if x := a.owner("POST", path, ""); x.status != 200 {
				t.Fatal(x)
			}
			acknowledged := time.Now()
			if st := a.standing(g.id); st.ReservedMicroUsd != 0 {
				t.Errorf("it is answered while %d micro-dollars are held for calls that may be on their way", st.ReservedMicroUsd)
			}
			sent := len(a.fake.Requests())
			client, upstream := a.endTogether(streams, acknowledged)
			t.Logf("answered after %s; clients were cut %s after it, upstream calls %s", acknowledged.Sub(asked), client, upstream)
			if client > within || upstream > within {
				t.Errorf("clients %s, upstream %s after the answer", client, upstream)
			}
			for _, at := range []*broker{a, b} {
				if x := at.call(s, g.token, "after"); x.status != want {
					t.Errorf("a call after it: %s", x)
				}
			}
			if n := len(a.fake.Requests()); n != sent {
				t.Errorf("%d calls went upstream after the answer", n-sent)
			}
			if how == "stop" {
				a.owner("POST", "/resume", "")
			} else if how == "stop own" {
				late := b.ask(s.scope(100, 10))
				b.approve(late.id, `{"expiresInSeconds":3600}`)
				if x := a.send("POST", "/tokens", fmt.Sprintf(`{"grantId":%q,"grantSecret":%q}`, late.id, late.secret), nil); x.status == 201 {
					t.Errorf("what is given while the switch is thrown has a token: %s", x)
				}
				b.owner("POST", "/resume?whose=mine", "")
				for _, x := range []answer{a.call(s, g.token, "again"), a.call(s, b.token(late), "again")} {
					if x.status != 200 {
						t.Errorf("a call after apps run again: %s", x)
					}
				}
			}
		})
	}
	a.verify()
}

// TestThreat09NothingLeavesAfterTheAnswer: calls storm both brokers while the grant is revoked at one of them. What the provider has
// seen when the answer comes is all it ever sees.
func TestThreat09NothingLeavesAfterTheAnswer(t *testing.T) {
	a, b := two(t, pgtest.Database(t), nil)
	s := native[0]
	var slowest time.Duration
	for range 5 {
		g := a.give(s.scope(100_000, 100_000))
		before := len(a.fake.Requests())
		var storm sync.WaitGroup
		for i := range 24 {
			storm.Go(func() {
				at := []*broker{a, b}[i%2]
				for {
					if got, err := at.try("POST", s.path, s.body(s.model, "storm", 20, i%4 == 0), s.auth(g.token)); err != nil || got.status == 401 {
						return
					}
				}
			})
		}
		if err := a.fake.AwaitCalls(testutil.Context(t), before+100); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		if x := a.owner("POST", "/grants/"+g.id+"/revoke", ""); x.status != 200 {
			t.Fatal(x)
		}
		slowest = max(slowest, time.Since(asked))
		sent := len(a.fake.Requests())
		storm.Wait()
		if n := len(a.fake.Requests()) - sent; n != 0 {
			t.Errorf("%d calls went upstream after the answer to the revoke", n)
		}
	}
	t.Logf("the slowest revoke was answered after %s", slowest)
}

// TestThreat09TheAnswerWaitsForOtherInstances: one of two brokers stands still (SIGSTOP) with live streams while the grant is revoked at the
// other. The answer does not come before the streams are over: not while the one with the streams cannot end them.
func TestThreat09TheAnswerWaitsForOtherInstances(t *testing.T) {
	a, b := two(t, pgtest.Database(t), nil)
	g := a.give(native[0].scope(100_000, 100_000))
	streams := b.live(native[0], g, 3)
	b.cmd.Process.Signal(syscall.SIGSTOP)
	began := time.Now()
	type told struct {
		answer
		err  error
		held int64
	}
	done := make(chan told, 1)
	go func() {
		x, err := a.try("POST", "/grants/"+g.id+"/revoke", "", bearer(ownerToken))
		done <- told{x, err, a.standing(g.id).ReservedMicroUsd}
	}()
	for a.standing(g.id).Status != "revoked" { // it is committed
	}
	for looks := 0; looks < 40 && time.Since(began) < time.Second/2; looks++ { // time enough for an answer that waits for nobody
		a.standing(g.id)
		select {
		case x := <-done:
			b.cmd.Process.Signal(syscall.SIGCONT)
			t.Fatalf("answered %s after %s, with the streams of the other still on", x.answer, time.Since(began))
		default:
		}
	}
	b.cmd.Process.Signal(syscall.SIGCONT)
	went := time.Now()
	x := <-done
	if x.err != nil || x.status != 200 || x.held != 0 {
		t.Errorf("%s %v, with %d micro-dollars held", x.answer, x.err, x.held)
	}
	client, upstream := b.endTogether(streams, went)
	t.Logf("answered %s after the other went on; clients were cut by %s, upstream calls by %s", time.Since(went), client, upstream)
}

// TestThreat03APeerChargesTheKilled: one of two brokers is killed (SIGKILL) under load. The other goes on, charges what the dead one
// had open, and the cap holds as the provider counts.
func TestThreat03APeerChargesTheKilled(t *testing.T) {
	t.Parallel()
	a, b := two(t, pgtest.Database(t), nil)
	a.fake.When("load", fakeprovider.Behaviour{Worst: true})
	const cents = 300
	g := a.give(`{"provider":"openai","models":["gpt-4o-mini","gpt-4o"],"capabilities":["chat"],"maxBudgetCents":300,"maxRequests":1000000,"rateLimit":1000000}`)
	streams := b.live(native[0], g, 5) // what it surely has open
	dead, over := make(chan struct{}), make(chan struct{})
	var load sync.WaitGroup
	for w := range 4 {
		load.Go(func() { b.load(g, w, dead) })
		load.Go(func() { a.load(g, w, over) })
	}
	if err := a.fake.AwaitCalls(testutil.Context(t), 100); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	b.kill()
	close(dead)
	n := len(a.fake.Requests())
	if err := a.fake.AwaitCalls(testutil.Context(t), n+20); err != nil {
		t.Fatalf("the other does not go on: %v", err)
	}
	close(over)
	load.Wait()
	b.endTogether(streams, killed)
	st := a.settled(g.id) // nobody but the peer can end what the dead one held
	t.Logf("nothing was held %s after the kill", time.Since(killed))
	if billed := a.fake.Billed(); st.SettledMicroUsd < billed || st.SettledMicroUsd > cents*10_000 || st.UsageCount < int64(len(a.fake.Requests())) {
		t.Errorf("settled %d for %d calls; billed %d for %d", st.SettledMicroUsd, st.UsageCount, billed, len(a.fake.Requests()))
	}
	a.verify()
	b.run()
	if x := b.call(native[0], g.token, "again"); x.status != 200 {
		t.Errorf("the killed one, started again: %s", x)
	}
}

// TestThreat03AStoppedInstanceSettlesLate: one of two brokers stands still (SIGSTOP) with calls at the provider until its peer has
// charged them in full. When it goes on it settles them late: each charge is lowered to what was used, once, and a bill above its hold is
// recorded whole and freezes its grant.
func TestThreat03AStoppedInstanceSettlesLate(t *testing.T) {
	t.Parallel()
	a, b := two(t, pgtest.Database(t), nil)
	g := a.give(native[0].scope(5000, 1000))
	dear := a.give(native[0].scope(5000, 1000))
	const calls = 8
	release := make(chan struct{})
	a.fake.When("late", fakeprovider.Behaviour{BeforeHeaders: release})
	a.fake.When("dear", fakeprovider.Behaviour{BeforeHeaders: release, RawUsage: `{"prompt_tokens":10,"completion_tokens":1000000,"total_tokens":1000010}`})
	statuses := make(chan int, calls+1)
	send := func(token, word string) {
		got, err := b.try("POST", native[0].path, openAIBody("gpt-4o-mini", word, 500, false), bearer(token))
		if err != nil {
			t.Error(err)
		}
		statuses <- got.status
	}
	for range calls {
		go send(g.token, "late")
	}
	go send(dear.token, "dear")
	if err := a.fake.AwaitCalls(testutil.Context(t), calls+1); err != nil {
		t.Fatal(err)
	}
	held := a.standing(g.id).ReservedMicroUsd
	b.cmd.Process.Signal(syscall.SIGSTOP)
	stopped := time.Now()
	st := a.settled(g.id)
	t.Logf("charged %s after it stood still", time.Since(stopped))
	if st.SettledMicroUsd != held || st.UsageCount != calls {
		t.Errorf("charged %+v, %d were held", st, held)
	}
	close(release)
	b.cmd.Process.Signal(syscall.SIGCONT)
	for range calls + 1 {
		if got := <-statuses; got != 200 {
			t.Errorf("a call that was on its way: %d", got)
		}
	}
	billed := int64(0)
	for _, r := range a.fake.Requests() {
		if bytes.Contains(r.Body, []byte("late")) {
			billed += r.Billed()
		}
	}
	for ctx := testutil.Context(t); ; {
		if st = a.standing(g.id); st.SettledMicroUsd == billed {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("settled %d, billed %d, held at first %d", st.SettledMicroUsd, billed, held)
		}
	}
	if st.UsageCount != calls || billed >= held {
		t.Errorf("%+v, billed %d, held %d", st, billed, held)
	}
	a.frozenLate(b, dear, 600_002) // 10 tokens in, a million out
	a.verify()
	if x := b.call(native[0], g.token, "again"); x.status != 200 {
		t.Errorf("the one that stood still: %s", x)
	}
}

// frozenLate waits until a bill above its hold, told late by another broker, is recorded; then the grant must be paused and the owner told.
func (b *broker) frozenLate(by *broker, g grant, bill int64) {
	b.t.Helper()
	st := b.standing(g.id)
	for ctx := testutil.Context(b.t); st.SettledMicroUsd != bill; st = b.standing(g.id) {
		if ctx.Err() != nil {
			b.t.Fatalf("a late bill of %d: %+v", bill, st)
		}
	}
	if st.Status != "paused" || st.UsageCount != 1 {
		b.t.Errorf("after a late bill above its hold: %+v, want it paused", st)
	}
	if x := b.call(native[0], g.token, "again"); x.status != 403 {
		b.t.Errorf("it goes on: %.300s", x)
	}
	if !strings.Contains(by.log.tail(1<<20), "a provider billed above the worst case of a call") {
		b.t.Error("the log does not tell")
	}
	p := b.setUp()
	p.open("/")
	if !strings.Contains(p.text(), "A provider billed more than was held") {
		b.t.Errorf("the owner is not told: %s", p.text())
	}
}

// TestThreat03PostgresRestartsUnderLoad: the database crashes, and is stopped, under calls through two brokers. A call is answered or
// refused with 503; none is at the provider without being counted; the sums add up and nothing stays held.
func TestThreat03PostgresRestartsUnderLoad(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	server := pgtest.New(t)
	a, b := two(t, server.Database(t), nil)
	a.fake.When("load", fakeprovider.Behaviour{Worst: true})
	g := a.give(`{"provider":"openai","models":["gpt-4o-mini","gpt-4o"],"capabilities":["chat"],"maxBudgetCents":100000,"maxRequests":1000000,"rateLimit":1000000}`)
	over := make(chan struct{})
	var load sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for w := range 8 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				default:
				}
				at := []*broker{a, b}[(w+i)%2]
				got, err := at.try("POST", "/v1/chat/completions", openAIBody([]string{"gpt-4o-mini", "gpt-4o"}[i%2], "load "+strconv.Itoa(w), 100, i%3 == 0), bearer(g.token))
				if err != nil && got.status == 0 {
					t.Errorf("under load: %v", err)
					return
				}
				mu.Lock()
				answers[got.status]++
				mu.Unlock()
			}
		})
	}
	for _, mode := range []pgtest.Mode{pgtest.Immediate, pgtest.Fast} {
		n := len(a.fake.Requests())
		if err := a.fake.AwaitCalls(testutil.Context(t), n+50+rng.IntN(100)); err != nil {
			t.Fatal(err)
		}
		server.Stop(t, mode)
		server.Start(t)
	}
	n := len(a.fake.Requests())
	if err := a.fake.AwaitCalls(testutil.Context(t), n+50); err != nil {
		t.Fatalf("they do not go on: %v", err)
	}
	close(over)
	load.Wait()
	if err := a.fake.AwaitEnd(testutil.Context(t)); err != nil {
		t.Fatal(err)
	}
	st := a.settled(g.id)
	t.Logf("answers %v", answers)
	for status := range answers {
		if status != 200 && status != 503 {
			t.Errorf("%d calls were answered %d", answers[status], status)
		}
	}
	if calls := int64(len(a.fake.Requests())); st.SettledMicroUsd < a.fake.Billed() || st.UsageCount < calls {
		t.Errorf("settled %d for %d calls; billed %d for %d", st.SettledMicroUsd, st.UsageCount, a.fake.Billed(), calls)
	}
	a.verify()
}

// TestInstancesAreOneBroker: a setup link, a session, a token, a provider key and a rotation at one of two brokers hold at the other.
func TestInstancesAreOneBroker(t *testing.T) {
	a, b := two(t, pgtest.Database(t), env{"OPENAI_API_KEY": ""})
	// The link that A printed is opened at B, and A's is dead then. The session is A's too.
	link := setupLink.FindString(a.log.tail(-1))
	p := &person{b: b, cookies: map[string]string{}}
	p.open(link)
	p.submit("/setup", url.Values{"name": {"Ada"}, "username": {"ada"}, "password": {password}})
	if p.page.status != 200 || p.path != "/setup/passkey" {
		t.Fatalf("after setup at %s: %s", p.path, p.page)
	}
	p.b = a
	p.open("/")
	if p.page.status != 200 || p.path != "/" {
		t.Errorf("B's session at A: %d at %s", p.page.status, p.path)
	}
	for _, at := range []*broker{a, b} {
		other := &person{b: at, cookies: map[string]string{}}
		for _, l := range []string{link, setupLink.FindString(b.log.tail(-1))} {
			if other.open(l); other.page.status != 404 {
				t.Errorf("a setup link after setup: %d", other.page.status)
			}
		}
	}
	// One with another key file does not start: what is sealed does not open.
	third := maps.Clone(b.env)
	third["AIPASSPORT_LISTEN"], third["AIPASSPORT_KEK_FILE"] = "127.0.0.1:0", filepath.Join(t.TempDir(), "kek")
	if code, out := runOnce(t, third, "serve"); code == 0 || !strings.Contains(out, "open the signing key") {
		t.Errorf("an instance with another key file: %d\n%s", code, out)
	}
	g := a.give(native[0].scope(500, 100))
	if x := b.call(native[0], g.token, "no key"); x.status == 200 {
		t.Errorf("there is no key: %s", x)
	}
	// A key that is pasted at A is lent at B within a second.
	p.open("/keys")
	p.submit("/keys", url.Values{"provider": {"openai"}, "label": {"ours"}, "key": {openAIKey}})
	await(t, "B lends the key that was pasted at A", func() bool { return b.call(native[0], g.token, "key").status == 200 })
	// So is a new secret of it, and the provider takes nothing else by now.
	key, next := p.newestKey(), openAIKey+"-the-next"
	for _, at := range []*broker{a, b} {
		at.keepSecret(next)
	}
	a.fake.Rekey(fakeprovider.Keys{OpenAI: next})
	p.open(key)
	p.submit(key+"/rotate", url.Values{"key": {next}})
	await(t, "B lends the secret that was replaced at A", func() bool { return b.call(native[0], g.token, "next").status == 200 })
	removal := key + "/remove"
	p.open(removal)
	p.submit(removal, nil)
	await(t, "B has forgotten the key that was removed at A", func() bool { return b.call(native[0], g.token, "gone").status != 200 })
}

// await is for what must be so within a second.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > testutil.Patience {
			t.Fatalf("in vain: %s", what)
		}
	}
	if took := time.Since(began); took > within {
		t.Errorf("%s, but only after %s", what, took)
	}
}
