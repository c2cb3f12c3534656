package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// within is how long live streams may outlast the end of their grant.
const within = time.Second

// live opens n streams of a grant that have each sent one piece and then wait for ever.
func (b *broker) live(s speaker, g grant, n int) (streams []*stream) {
	b.t.Helper()
	b.fake.When("hold on", fakeprovider.Behaviour{Chunks: 1, BeforeEnd: make(chan struct{})})
	before := len(b.fake.Requests())
	for range n {
		st, err := b.stream(s, g.token, "hold on", 50)
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(st.close)
		if st.res.StatusCode != 200 {
			b.t.Fatalf("%s", st.res.Status)
		}
		streams = append(streams, st)
	}
	for _, st := range streams {
		if err := st.piece(0); err != nil {
			b.t.Fatal(err)
		}
	}
	if got := len(b.fake.Requests()) - before; got != n {
		b.t.Fatalf("%d streams upstream, want %d", got, n)
	}
	return streams
}

// endTogether waits until all streams and their upstream calls are over, and says how long it took since a moment.
func (b *broker) endTogether(streams []*stream, since time.Time) (client, upstream time.Duration) {
	b.t.Helper()
	for _, st := range streams {
		all, _ := st.rest()
		if whole(all) {
			b.t.Errorf("a cut stream looks whole: %s", all)
		}
	}
	client = time.Since(since)
	if err := b.fake.AwaitEnd(testutil.Context(b.t)); err != nil {
		b.t.Fatal(err)
	}
	for _, r := range b.fake.With("hold on") {
		if r.Finished() {
			b.t.Error("an upstream call went on to its end")
		}
	}
	return client, time.Since(since)
}

// TestThreat09RevokeEndsLiveStreams: 20 of them, and their upstream calls, within a second of the answer to the revoke.
func TestThreat09RevokeEndsLiveStreams(t *testing.T) {
	for _, s := range everyone {
		t.Run(s.name, func(t *testing.T) {
			b := start(t, nil)
			g := b.give(s.scope(5000, 1000))
			bystander := b.give(s.scope(5000, 1000))
			streams := b.live(s, g, 20)
			gate := make(chan struct{})
			b.fake.When("stand by", fakeprovider.Behaviour{Chunks: 100, Gate: gate})
			other, err := b.stream(s, bystander.token, "stand by", 50)
			if err != nil {
				t.Fatal(err)
			}
			defer other.close()
			testutil.Open(t, gate)
			if err := other.piece(0); err != nil {
				t.Fatal(err)
			}
			if a := b.owner("POST", "/grants/"+g.id+"/revoke", ""); a.status != 200 {
				t.Fatal(a)
			}
			acknowledged := time.Now()
			for _, st := range streams {
				if all, _ := st.rest(); whole(all) {
					t.Errorf("a cut stream looks whole: %s", all)
				}
			}
			if d := time.Since(acknowledged); d > within {
				t.Errorf("clients were cut after %s", d)
			}
			if err := b.fake.Await(testutil.Context(t), func(rs []*fakeprovider.Request) bool { return living(rs) == 1 }); err != nil {
				t.Fatalf("%v: %d are alive", err, living(b.fake.Requests()))
			}
			if d := time.Since(acknowledged); d > within {
				t.Errorf("upstream calls ended after %s", d)
			}
			if a := b.call(s, g.token, "after"); a.status != 401 || len(b.fake.With("after")) != 0 {
				t.Errorf("a call after the revoke: %s", a)
			}
			// The bystander's stream goes on.
			testutil.Open(t, gate)
			if err := other.piece(1); err != nil {
				t.Errorf("another grant's stream: %v", err)
			}
			if st := b.settled(g.id); st.SettledMicroUsd < fakeprovider.Billed(b.fake.Requests()[:20]) {
				t.Errorf("settled %d, the provider billed %d", st.SettledMicroUsd, fakeprovider.Billed(b.fake.Requests()[:20]))
			}
		})
	}
}

func living(rs []*fakeprovider.Request) (n int) {
	for _, r := range rs {
		if r.Live() {
			n++
		}
	}
	return n
}

// TestThreat09CutStreamsTellWhy: an error event in the dialect's shape at the end, and no end mark.
func TestThreat09CutStreamsTellWhy(t *testing.T) {
	b := start(t, nil)
	for _, s := range native {
		g := b.give(s.scope(5000, 1000))
		streams := b.live(s, g, 1)
		b.owner("POST", "/grants/"+g.id+"/revoke", "")
		all, _ := streams[0].rest()
		if !strings.Contains(all, `"error"`) || !strings.Contains(all, "revoked") || whole(all) {
			t.Errorf("%s: ended with %q", s.name, all)
		}
	}
}

// TestThreat09PauseAndStopEndLiveStreams too.
func TestThreat09PauseAndStopEndLiveStreams(t *testing.T) {
	for _, how := range []string{"pause", "stop"} {
		t.Run(how, func(t *testing.T) {
			b := start(t, nil)
			g := b.give(native[0].scope(5000, 1000))
			streams := b.live(native[0], g, 5)
			path := "/grants/" + g.id + "/pause"
			if how == "stop" {
				path = "/stop"
			}
			if a := b.owner("POST", path, ""); a.status != 200 {
				t.Fatal(a)
			}
			acknowledged := time.Now()
			client, upstream := b.endTogether(streams, acknowledged)
			if client > within || upstream > within {
				t.Errorf("clients %s, upstream %s after it", client, upstream)
			}
		})
	}
}

// TestThreat09ExpiryEndsLiveStreams: of the grant, and of the token.
func TestThreat09ExpiryEndsLiveStreams(t *testing.T) {
	for _, whose := range []string{"grant", "token"} {
		t.Run(whose, func(t *testing.T) {
			e, life := env{}, `{"expiresInSeconds":3}`
			if whose == "token" {
				e, life = env{"TOKEN_TTL_SECONDS": "3"}, `{"expiresInSeconds":600}`
			}
			b := start(t, e)
			a := b.ask(native[0].scope(5000, 1000))
			b.approve(a.id, life)
			issued := time.Now()
			g := grant{a, b.token(a)}
			ends := issued.Add(3 * time.Second)
			if whose == "grant" {
				ends = b.standing(g.id).ExpiresAt
			}
			streams := b.live(native[0], g, 5)
			b.endTogether(streams, ends)
			// A token's end is a whole second (RFC 7519 §2, NumericDate), so it may come up to one earlier.
			if late := time.Since(ends); late > within || late < -time.Second {
				t.Errorf("the streams ended %s after the end", late)
			}
			for whose == "grant" && b.standing(g.id).Status != "expired" {
				if late := time.Since(ends); late > within {
					t.Fatalf("%s after its end the grant is %s", late, b.standing(g.id).Status)
				}
			}
			if a := b.call(native[0], g.token, "after"); a.status != 401 {
				t.Errorf("a call after the end: %s", a)
			}
		})
	}
}

// TestThreat09ClientThatLeavesEndsItsUpstreamCall, at the price of the hold.
func TestThreat09ClientThatLeavesEndsItsUpstreamCall(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(5000, 1000))
	streams := b.live(native[0], g, 1)
	held := b.standing(g.id).ReservedMicroUsd
	streams[0].close()
	left := time.Now()
	if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(left); d > within {
		t.Errorf("the upstream call ended %s after its client left", d)
	}
	if st := b.settled(g.id); st.SettledMicroUsd != held || held == 0 {
		t.Errorf("settled %d, held %d", st.SettledMicroUsd, held)
	}
}
