package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/pgtest"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// key makes an SDK key for a grant, as its owner. Like a token it must be found nowhere but in this answer.
func (b *broker) key(g asked, body string) (text, id string) {
	b.t.Helper()
	a := b.owner("POST", "/grants/"+g.id+"/keys", body)
	if a.status != 201 || !strings.HasPrefix(a.str("key"), "aip_") {
		b.t.Fatalf("key with %s: %s", body, a)
	}
	b.keepSecret(a.str("key"))
	return a.str("key"), a.str("id")
}

// TestAnSDKKeyIsTakenWhereATokenIs: in each dialect, for the grant's standing and for inspection, on the books of its grant, also after a
// restart. The log says which key it was.
func TestAnSDKKeyIsTakenWhereATokenIs(t *testing.T) {
	b := start(t, env{"AIPASSPORT_LOG_CALLS": "true"})
	for _, s := range everyone {
		g := b.give(s.scope(500, 100))
		key, id := b.key(g.asked, `{"name":"laptop"}`)
		if a := b.call(s, key, "hello"); a.status != 200 {
			t.Fatalf("%s: %s", s.name, a)
		}
		if _, ok := b.log.await(testutil.Patience, func(m map[string]any) bool { return m["key"] == id && m["grant"] == g.id }); !ok {
			t.Errorf("%s: the log does not say which key it was", s.name)
		}
		if a := b.send("GET", "/v1/grant", "", bearer(key)); a.status != 200 {
			t.Errorf("%s: standing: %s", s.name, a)
		}
		if a := b.send("GET", "/tokens/"+key+"/inspect", "", nil); a.get("valid") != true || a.str("grant.id") != g.id {
			t.Errorf("%s: inspection: %s", s.name, a)
		}
		b.stop(syscall.SIGTERM)
		b.run()
		if a := b.call(s, key, "hello again"); a.status != 200 {
			t.Errorf("%s: after a restart: %s", s.name, a)
		}
		if st := b.settled(g.id); st.UsageCount != 2 {
			t.Errorf("%s: got %+v, want two calls", s.name, st)
		}
		if a := b.owner("GET", "/grants/"+g.id+"/keys", ""); !strings.Contains(string(a.body), `"lastUsedAt":"20`) {
			t.Errorf("%s: a stop does not note that the key was used: %s", s.name, a)
		}
	}
	// Google's SDKs put it into the address, too.
	g := b.give(native[2].scope(500, 100))
	key, _ := b.key(g.asked, `{"name":"laptop"}`)
	if a := b.send("POST", native[2].path+"?key="+key, native[2].body(native[2].model, "hello", 20, false), nil); a.status != 200 {
		t.Errorf("in the address: %s", a)
	}
}

// TestThreat33SDKKeysThatAreNoneAreRefused: made up, cut, expired, of a grant that has ended; in the shape of each dialect, and nothing goes
// upstream.
func TestThreat33SDKKeysThatAreNoneAreRefused(t *testing.T) {
	b := start(t, nil)
	for _, s := range everyone {
		g, ended := b.give(s.scope(500, 100)), b.give(s.scope(500, 100))
		key, id := b.key(g.asked, `{"name":"short","expiresInSeconds":1}`)
		dead, _ := b.key(ended.asked, `{"name":"of a grant that ends"}`)
		b.owner("POST", "/grants/"+ended.id+"/revoke", "")
		b.owner("POST", "/grants/"+g.id+"/keys/"+id+"/revoke", "")
		for name, text := range map[string]string{"revoked": key, "of an ended grant": dead, "cut": key[:len(key)-1], "made up": "aip_" + strings.Repeat("0", 49)} {
			if a := b.call(s, text, "refused"); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: %s", s.name, name, a)
			}
		}
		// A key of one grant has none of another's models.
		other := native[0]
		if s.provider == "openai" {
			other = native[1]
		}
		good, _ := b.key(g.asked, `{"name":"good"}`)
		if a := b.call(other, good, "refused"); a.status != 403 {
			t.Errorf("%s: another provider's model: %s", s.name, a)
		}
	}
	if n := len(b.fake.With("refused")); n != 0 {
		t.Errorf("%d calls went upstream", n)
	}
}

// TestThreat33AnSDKKeyExpires, though a call with it is running.
func TestThreat33AnSDKKeyExpires(t *testing.T) {
	b := start(t, nil)
	s := native[0]
	g := b.give(s.scope(500, 100))
	key, _ := b.key(g.asked, `{"name":"short","expiresInSeconds":2}`)
	streams := b.live(s, grant{g.asked, key}, 1)
	began := time.Now()
	b.endTogether(streams, began)
	if d := time.Since(began); d > 2*time.Second+within {
		t.Errorf("a call outlived its key by %s", d-2*time.Second)
	}
	if a := b.call(s, key, "after"); a.status != 401 || !strings.Contains(string(a.body), "SDK key has expired") {
		t.Errorf("after its end: %s", a)
	}
}

// TestThreat33ARevokedKeyEndsItsStreams: within a second of the answer, and neither the token's nor another key's. One instance on SQLite,
// two on Postgres.
func TestThreat33ARevokedKeyEndsItsStreams(t *testing.T) {
	t.Run("one", func(t *testing.T) { b := start(t, nil); revokesKey(t, b, b) })
	t.Run("two", func(t *testing.T) { a, b := two(t, pgtest.Database(t), nil); revokesKey(t, a, b) })
}

func revokesKey(t *testing.T, a, b *broker) {
	s := native[0]
	g := a.give(s.scope(5000, 1000))
	key, id := a.key(g.asked, `{"name":"stolen"}`)
	b.keepSecret(key)
	kept, _ := b.key(g.asked, `{"name":"kept"}`)
	var others []*stream
	var gates []chan struct{} // one for each: a stream takes a piece each time it is opened
	for prompt, credential := range map[string]string{"stay with a key": kept, "stay with a token": g.token} {
		gate := make(chan struct{})
		a.fake.When(prompt, fakeprovider.Behaviour{Chunks: 100, Gate: gate})
		other, err := b.stream(s, credential, prompt, 50)
		if err != nil {
			t.Fatal(err)
		}
		defer other.close()
		testutil.Open(t, gate)
		if err := other.piece(0); err != nil {
			t.Fatal(err)
		}
		others, gates = append(others, other), append(gates, gate)
	}
	streams := a.live(s, grant{g.asked, key}, 10)
	if a != b {
		streams = append(streams, b.live(s, grant{g.asked, key}, 10)...)
	}
	asked := time.Now()
	if x := a.owner("POST", "/grants/"+g.id+"/keys/"+id+"/revoke", ""); x.status != 200 || a == b && x.num("endedCalls") != 10 { // of two, the database may have told the first before it counted
		t.Fatal(x)
	}
	acknowledged := time.Now()
	for _, st := range streams {
		if all, _ := st.rest(); whole(all) {
			t.Errorf("a cut stream looks whole: %s", all)
		}
	}
	t.Logf("answered after %s, all cut %s after it", acknowledged.Sub(asked), time.Since(acknowledged))
	if d := time.Since(acknowledged); d > within {
		t.Errorf("clients were cut after %s", d)
	}
	if err := a.fake.Await(testutil.Context(t), func(rs []*fakeprovider.Request) bool { return living(rs) == len(others) }); err != nil {
		t.Fatalf("%v: %d are alive", err, living(a.fake.Requests()))
	}
	for _, at := range []*broker{a, b} {
		if x := at.call(s, key, "after"); x.status != 401 {
			t.Errorf("a call after it: %s", x)
		}
	}
	for i, other := range others {
		testutil.Open(t, gates[i])
		if err := other.piece(1); err != nil {
			t.Errorf("a stream of another credential: %v", err)
		}
	}
}

// TestThreat33NothingLeavesAfterAKeysRevoke: calls with one key storm the broker, or two, while it is revoked. Of a call that begins when the
// answer is there the provider sees nothing. Of the others it has seen all that it ever sees: that is looked at where another instance was
// waited for; of one alone, what has left may still be on its way to the provider's handler.
func TestThreat33NothingLeavesAfterAKeysRevoke(t *testing.T) {
	t.Run("one", func(t *testing.T) { b := start(t, nil); stormsKey(t, b, b, 8) })
	t.Run("two", func(t *testing.T) { a, b := two(t, pgtest.Database(t), nil); stormsKey(t, a, b, 2) })
}

func stormsKey(t *testing.T, a, b *broker, rounds int) {
	s := native[0]
	for round := range rounds {
		g := a.give(s.scope(100_000, 100_000))
		key, id := a.key(g.asked, `{"name":"storm"}`)
		b.keepSecret(key)
		prompt, before := fmt.Sprint("storm ", round), len(a.fake.Requests())
		var answered atomic.Bool
		var storm sync.WaitGroup
		for i := range 16 {
			storm.Go(func() {
				at := []*broker{a, b}[i%2]
				for late := 0; late < 3; { // one that was refused tries on
					say := prompt
					if answered.Load() {
						say, late = "too late", late+1
					}
					got, err := at.try("POST", s.path, s.body(s.model, say, 20, i%4 == 0), s.auth(key))
					if late > 0 && (err != nil || got.status != 401) {
						t.Errorf("a call after the answer: %s %v", got, err)
					}
				}
			})
		}
		if err := a.fake.AwaitCalls(testutil.Context(t), before+50); err != nil {
			t.Fatal(err)
		}
		if x := a.owner("POST", "/grants/"+g.id+"/keys/"+id+"/revoke", ""); x.status != 200 {
			t.Fatal(x)
		}
		sent := len(a.fake.With(prompt))
		answered.Store(true)
		storm.Wait()
		if n := len(a.fake.With("too late")); n != 0 {
			t.Errorf("round %d: %d calls that began after the answer went upstream", round, n)
		}
		if n := len(a.fake.With(prompt)); n != sent && a != b {
			t.Errorf("round %d: %d calls went upstream after the answer", round, n-sent)
		}
	}
}
