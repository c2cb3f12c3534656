package e2e_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// TestThreat05BrokenStreamsNeverLookWhole: in each dialect, natively and by /proxy/chat. What was billed is within what is settled.
func TestThreat05BrokenStreamsNeverLookWhole(t *testing.T) {
	b := start(t, env{"AIPASSPORT_STREAM_IDLE_TIMEOUT": "500ms"})
	sse := http.Header{"Content-Type": {"text/event-stream"}}
	for _, s := range everyone {
		stops := s.dearest().Stops
		for name, bad := range map[string]fakeprovider.Behaviour{
			"drop in the middle":        {CutAfter: 1, Worst: true, Stops: stops},
			"drop before the usage":     {CutAtEnd: true, Worst: true, Stops: stops},
			"stall":                     {BeforeEnd: make(chan struct{}), Worst: true, Stops: stops},
			"HTML":                      {Body: "<html>maintenance</html>", Header: sse},
			"HTML in the middle":        {Body: "data: {}\n\n<html>maintenance</html>", Header: sse},
			"nothing at all":            {Body: ": \n\n", Header: sse},
			"garbage":                   {Body: "\x00\x01\x02", Header: sse},
			"a line that does not end":  {LongLine: 2 << 20, Worst: true, Stops: stops},
			"dropped before the answer": {Drop: true},
		} {
			g := b.give(s.scope(500, 10))
			b.fake.Next(bad)
			before := b.fake.Billed()
			st, err := b.stream(s, g.token, "broken", 700)
			if err != nil {
				t.Fatal(err)
			}
			all, _ := st.rest()
			st.close()
			if whole(all) || st.res.StatusCode == 200 && !strings.Contains(all, `"error"`) {
				t.Errorf("%s, %s: %d %.300s", s.name, name, st.res.StatusCode, all)
			}
			b.fake.AwaitEnd(testutil.Context(t))
			if got, billed := b.settled(g.id), b.fake.Billed()-before; got.SettledMicroUsd < billed || got.SettledMicroUsd == 0 || got.UsageCount != 1 {
				t.Errorf("%s, %s: settled %d in %d calls, billed %d", s.name, name, got.SettledMicroUsd, got.UsageCount, billed)
			}
		}
	}
}

// TestOwnStanding: GET /v1/grant tells what the owner sees, from any origin, in all places of a token; a paused grant is refused.
func TestOwnStanding(t *testing.T) {
	b := start(t, nil)
	for _, s := range native {
		g := b.give(s.scope(7, 10))
		b.call(s, g.token, "x")
		h := s.auth(g.token)
		h.Set("Origin", "https://app.example")
		a := b.send("GET", "/v1/grant", "", h)
		var got struct {
			GrantID, Status                                                   string
			CapMicroUsd, SettledMicroUsd, ReservedMicroUsd, RemainingMicroUsd int64
			CallsRemaining                                                    int64
			Details                                                           []struct{ Provider string }
		}
		if err := json.Unmarshal(a.body, &got); err != nil {
			t.Fatalf("%s: %s", s.name, a)
		}
		st := b.settled(g.id)
		if a.status != 200 || got.GrantID != g.id || got.Status != "approved" || got.CapMicroUsd != 70_000 || got.SettledMicroUsd != st.SettledMicroUsd || st.SettledMicroUsd == 0 ||
			got.RemainingMicroUsd != 70_000-st.SettledMicroUsd || got.CallsRemaining != 9 || len(got.Details) != 1 || got.Details[0].Provider != s.provider {
			t.Errorf("%s: %s, the owner sees %+v", s.name, a, st)
		}
		if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", s.name, a.header)
		}
		b.send("POST", "/grants/"+g.id+"/pause", "", bearer(ownerToken))
		if a := b.send("GET", "/v1/grant", "", s.auth(g.token)); a.status != 403 || !strings.Contains(string(a.body), `"error":{"message"`) {
			t.Errorf("%s, paused: %s", s.name, a)
		}
	}
	if a := b.send("GET", "/v1/grant", "", nil); a.status != 401 {
		t.Errorf("without a token: %s", a)
	}
}

// TestNineTenthsOfACapCanBeSpent after whatever was before: calls that end well, break, are refused or are left. What was bought that way
// counts as spent; the rest is not stuck.
func TestNineTenthsOfACapCanBeSpent(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	b := start(t, nil)
	for _, s := range native {
		g := b.give(s.scope(20, 100_000))
		for range 12 {
			kind := []fakeprovider.Behaviour{{}, {Status: 429}, {Status: 500}, {Drop: true}, {CutAfter: 1}, {CutAtEnd: true}, {NoUsage: true}, {Body: "<html>"},
				{BeforeEnd: make(chan struct{})}}[r.IntN(9)]
			b.fake.Next(kind)
			st, err := b.stream(s, g.token, "mixed", 100+r.IntN(400))
			if err != nil {
				t.Fatal(err)
			}
			if kind.BeforeEnd != nil {
				if err := st.piece(fakeprovider.DefaultChunks - 1); err != nil {
					t.Fatal(err)
				}
			} else if _, err := st.rest(); err != nil && st.res.StatusCode == 200 && kind.CutAfter == 0 && !kind.CutAtEnd && kind.Body == "" {
				t.Fatal(err)
			}
			st.close()
			if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
				t.Fatal(err)
			}
			b.fake.Forget()
		}
		b.settled(g.id)
		b.fake.Always(fakeprovider.Behaviour{Worst: true})
		for tokens := 400; tokens >= 50; tokens /= 2 {
			for range 1000 {
				if a := b.send("POST", s.path, s.body(s.model, "rest", tokens, false), s.auth(g.token)); a.status == 429 {
					break
				} else if a.status != 200 {
					t.Fatalf("%s: %s", s.name, a)
				}
			}
		}
		b.fake.Always(fakeprovider.Behaviour{})
		if st := b.settled(g.id); st.SettledMicroUsd < 180_000 || st.SettledMicroUsd > 200_000 {
			t.Errorf("%s: %d of 200,000 could be spent", s.name, st.SettledMicroUsd)
		}
	}
}
