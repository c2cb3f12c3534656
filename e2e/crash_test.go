package e2e_test

import (
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// TestThreat03KillLosesNoHoldAndNoRevoke kills the broker (SIGKILL) under load, several times on one data directory. After
// each restart: what the provider billed is covered by what is settled, and the cap holds; what was revoked stays revoked;
// what was in flight is charged.
func TestThreat03KillLosesNoHoldAndNoRevoke(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	b := start(t, nil)
	b.fake.When("load", fakeprovider.Behaviour{Worst: true})
	const cents = 300
	g := b.give(`{"provider":"openai","models":["gpt-4o-mini","gpt-4o"],"capabilities":["chat"],"maxBudgetCents":300,"maxRequests":1000000,"rateLimit":1000000}`)
	var revoked []grant
	for round := range 8 {
		victim := b.give(native[0].scope(500, 100))
		calls := len(b.fake.Requests())
		var load sync.WaitGroup
		dead := make(chan struct{})
		for w := range 8 {
			load.Go(func() { b.load(g, w, dead) })
		}
		if err := b.fake.AwaitCalls(testutil.Context(t), calls+20+rng.IntN(200)); err != nil {
			t.Fatal(err)
		}
		if a := b.owner("POST", "/grants/"+victim.id+"/revoke", ""); a.status != 200 {
			t.Fatal(a)
		}
		revoked = append(revoked, victim)
		b.kill()
		close(dead)
		load.Wait()
		if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
			t.Fatal(err)
		}
		billed := fakeprovider.Billed(b.fake.With("load"))

		b.run()
		b.verify()
		st := b.standing(g.id)
		t.Logf("round %d: %d calls upstream so far, billed %d, settled %d", round, len(b.fake.With("load")), billed, st.SettledMicroUsd)
		if st.ReservedMicroUsd != 0 {
			t.Errorf("round %d: %d is still held after the start", round, st.ReservedMicroUsd)
		}
		if st.SettledMicroUsd < billed || st.SettledMicroUsd > cents*10_000 {
			t.Errorf("round %d: settled %d, the provider billed %d, cap %d", round, st.SettledMicroUsd, billed, cents*10_000)
		}
		if n := int64(len(b.fake.With("load"))); st.UsageCount < n {
			t.Errorf("round %d: usageCount %d, but %d calls went upstream", round, st.UsageCount, n)
		}
		for i, v := range revoked {
			if s := b.standing(v.id); s.Status != "revoked" {
				t.Errorf("round %d: grant %d is %s again", round, i, s.Status)
			}
			if a := b.call(native[0], v.token, "revoked"); a.status != 401 {
				t.Errorf("round %d: a revoked token works again: %s", round, a)
			}
		}
	}
	if n := len(b.fake.With("revoked")); n != 0 {
		t.Errorf("%d calls of revoked grants went upstream", n)
	}
}

// verify lets the binary add up the ledger, beside the running broker.
func (b *broker) verify() {
	b.t.Helper()
	cmd := exec.CommandContext(testutil.Context(b.t), binary, "ledger", "verify")
	cmd.Env = b.env.list()
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Every balance is the sum of its calls") {
		b.t.Errorf("ledger verify: %v\n%s", err, out)
	}
}

// load makes calls, unary and streaming, cheap and dear, until the broker is dead.
func (b *broker) load(g grant, worker int, dead <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-dead:
			return
		default:
		}
		model := []string{"gpt-4o-mini", "gpt-4o"}[i%2]
		body := openAIBody(model, "load "+strconv.Itoa(worker), 100+i%7, (i+worker)%3 == 0)
		a, err := b.try("POST", "/v1/chat/completions", body, bearer(g.token))
		if err == nil && a.status != 200 {
			b.t.Errorf("under load: %s", a)
			return
		}
	}
}

// TestThreat03HoldsOfTheKilledAreCharged: calls in flight at the kill cost what was held for them.
func TestThreat03HoldsOfTheKilledAreCharged(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 100))
	streams := b.live(native[0], g, 5)
	held := b.standing(g.id).ReservedMicroUsd
	b.kill()
	b.endTogether(streams, time.Now())
	b.run()
	if st := b.standing(g.id); st.SettledMicroUsd != held || st.ReservedMicroUsd != 0 || st.UsageCount != 5 {
		t.Errorf("held %d before, now %+v", held, st)
	}
}

// TestDrain: on SIGTERM a running call finishes, new connections are refused, the exit code is 0.
func TestDrain(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 100))
	release := make(chan struct{})
	b.fake.Next(fakeprovider.Behaviour{BeforeHeaders: release})
	done := make(chan answer, 1)
	go func() {
		a, err := b.try("POST", native[0].path, openAIBody("gpt-4o-mini", "last", 50, false), bearer(g.token))
		if err != nil {
			t.Error(err)
		}
		done <- a
	}()
	if err := b.fake.AwaitCalls(testutil.Context(t), 1); err != nil {
		t.Fatal(err)
	}
	b.cmd.Process.Signal(syscall.SIGTERM)
	if _, ok := b.log.await(testutil.Patience, func(m map[string]any) bool { return m["msg"] == "draining" }); !ok {
		t.Fatal("it does not say that it drains")
	}
	// The listener is closed by the time a new connection fails; until then one may still get in.
	refused := false
	for ctx := testutil.Context(t); !refused && ctx.Err() == nil; {
		b.http.CloseIdleConnections()
		_, err := b.try("GET", "/health", "", nil)
		refused = err != nil
	}
	if !refused {
		t.Error("new connections are still taken")
	}
	close(release)
	if a := <-done; a.status != 200 {
		t.Errorf("the running call: %s", a)
	}
	b.log.wait()
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
	b.cmd = nil
	b.run()
	if st := b.standing(g.id); st.SettledMicroUsd != b.fake.Billed() || st.ReservedMicroUsd != 0 {
		t.Errorf("billed %d, %+v", b.fake.Billed(), st)
	}
}

// TestDrainCutsWhatDoesNotEnd, after its time, and charges it.
func TestDrainCutsWhatDoesNotEnd(t *testing.T) {
	b := start(t, env{"AIPASSPORT_DRAIN_TIMEOUT": "200ms"})
	g := b.give(native[0].scope(500, 100))
	streams := b.live(native[0], g, 3)
	held := b.standing(g.id).ReservedMicroUsd
	if code := b.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	b.endTogether(streams, time.Now())
	b.run()
	if st := b.standing(g.id); st.SettledMicroUsd != held || st.ReservedMicroUsd != 0 {
		t.Errorf("held %d, now %+v", held, st)
	}
}
