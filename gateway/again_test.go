package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway"
	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/passport"
)

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// send posts a body with an Idempotency-Key.
func (d *desk) send(t *testing.T, path, key, body string) reply {
	t.Helper()
	req, err := http.NewRequest("POST", d.srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return reply{}
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return reply{res.StatusCode, res.Header, string(all)}
}

const chatPath = "/v1/chat/completions"

// allow lets answers of the grant be kept, or takes that back.
func (d *desk) allow(t *testing.T, keep bool) {
	t.Helper()
	s, err := d.store.Standing(context.Background(), d.grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	g := s.Grant
	g.Version++
	g.KeepAnswers = keep
	if err := d.store.ChangeGrant(context.Background(), g, passport.Event{ID: passport.EventID(newID()), At: time.Now(), Grant: g.ID}); err != nil {
		t.Fatal(err)
	}
	d.grant = g
}

// useUp lowers the grant's calls to those that were made.
func (d *desk) useUp(t *testing.T) {
	t.Helper()
	g := d.grant
	g.Version++
	g.Details = slices.Clone(g.Details)
	g.Details[0].MaxRequests = passport.LimitOf(d.balance(t).Calls)
	if err := d.store.ChangeGrant(context.Background(), g, passport.Event{ID: passport.EventID(newID()), At: time.Now(), Grant: g.ID}); err != nil {
		t.Fatal(err)
	}
	d.grant = g
}

func (d *desk) reached(t *testing.T, want int) {
	t.Helper()
	if n := len(d.fake.Requests()); n != want {
		t.Errorf("%d calls reached the provider, want %d", n, want)
	}
}

// TestAKeyIsChargedOnce: without a kept answer the second call learns the first one's id and cost, and no SDK tries again.
func TestAKeyIsChargedOnce(t *testing.T) {
	d := open(t, false)
	first := d.send(t, chatPath, "order-17", body)
	if first.status != 200 || first.header.Get(gateway.HeaderReplayed) != "" {
		t.Fatalf("got %+v", first)
	}
	spent := d.balance(t)
	again := d.send(t, chatPath, "order-17", body)
	id, cost := first.header.Get(gateway.HeaderCall), first.header.Get(gateway.HeaderCost)
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(again.body), &e); err != nil {
		t.Fatal(err)
	}
	if again.status != 409 || e.Error.Code != "idempotency_key_used" || !strings.Contains(e.Error.Message, id) ||
		again.header.Get(gateway.HeaderCall) != id || again.header.Get(gateway.HeaderCost) != cost || cost == "" {
		t.Errorf("got %+v, want 409 with call %s and cost %s", again, id, cost)
	}
	if again.header.Get("X-Should-Retry") != "false" || again.header.Get("Retry-After") != "" {
		t.Errorf("an SDK would try again: %v", again.header)
	}
	if got := d.balance(t); got != spent {
		t.Errorf("balance %+v, want %+v", got, spent)
	}
	d.reached(t, 1)
	if r := d.send(t, chatPath, "order-18", body); r.status != 200 {
		t.Errorf("another key: got %d", r.status)
	}
	if r := d.send(t, chatPath, "", body); r.status != 200 {
		t.Errorf("no key: got %d", r.status)
	}
	d.reached(t, 3)
}

// TestAKeyIsForOneCall: another body or path with the same key is refused, in the caller's dialect.
func TestAKeyIsForOneCall(t *testing.T) {
	d := open(t, false)
	d.send(t, chatPath, "k", body)
	for _, c := range []struct{ path, body, say string }{
		{chatPath, strings.Replace(body, "hello", "hullo", 1), `"code":"idempotency_key_reused"`},
		{chatPath, body + " ", `"code":"idempotency_key_reused"`},
		{"/anthropic/v1/messages", strings.Replace(body, "gpt-4o-mini", "claude-haiku-4-5", 1), `"type":"invalid_request_error"`},
		{"/google/v1beta/models/gemini-2.5-flash:generateContent", `{"contents":[{"parts":[{"text":"hello"}]}]}`, `"status":"INVALID_ARGUMENT"`},
		{"/google/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"hello"}]}]}`, `"status":"INVALID_ARGUMENT"`},
		{"/proxy/chat", `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}`, `{"error":"this Idempotency-Key`},
	} {
		r := d.send(t, c.path, "k", c.body)
		if r.status != 422 || !strings.Contains(r.body, c.say) || r.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: got %+v, want 422 and %s", c.path, r, c.say)
		}
	}
	req, err := http.NewRequest("POST", d.srv.URL+chatPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer x", "Content-Type": "application/json", "Idempotency-Key": "k", gateway.HeaderClamp: "true"} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 422 {
		t.Errorf("a header that changes the call: got %d, want 422", res.StatusCode)
	}
	if r := d.send(t, chatPath, strings.Repeat("x", 256), body); r.status != 400 || !strings.Contains(r.body, `"param":"Idempotency-Key"`) {
		t.Errorf("a long key: got %+v", r)
	}
	d.reached(t, 1)
}

// TestAKeyWhileItsCallRuns: of many calls with one key one runs, the others are told which.
func TestAKeyWhileItsCallRuns(t *testing.T) {
	for _, keep := range []bool{false, true} {
		d := open(t, false)
		d.allow(t, keep)
		gate := make(chan struct{})
		d.fake.Next(fakeprovider.Behaviour{BeforeHeaders: gate})
		replies := make(chan reply, 50)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { replies <- d.send(t, chatPath, "k", body) })
		}
		for range 49 {
			r := <-replies
			if r.status != 409 || !strings.Contains(r.body, "still running") || r.header.Get(gateway.HeaderCall) == "" {
				t.Errorf("got %+v, want 409 with the call that runs", r)
			}
			if want := map[bool]string{true: "true", false: "false"}[keep]; r.header.Get("X-Should-Retry") != want || (r.header.Get("Retry-After") != "") != keep {
				t.Errorf("keep %v: got %v", keep, r.header)
			}
		}
		close(gate)
		if r := <-replies; r.status != 200 {
			t.Errorf("the call that runs got %+v", r)
		}
		all.Wait()
		d.reached(t, 1)
		if b := d.balance(t); b.Calls != 1 || b.Held != 0 {
			t.Errorf("balance %+v, want one call", b)
		}
	}
}

// TestAKeptAnswerIsReplayed: the same bytes, without a hold, and also when there is no money left.
func TestAKeptAnswerIsReplayed(t *testing.T) {
	long := strings.Repeat("a long answer ", 10_000) // more than is sent in one piece
	for name, c := range map[string]struct {
		b    fakeprovider.Behaviour
		body string
	}{
		"whole":    {fakeprovider.Behaviour{}, body},
		"large":    {fakeprovider.Behaviour{Text: []string{long}}, body},
		"stream":   {fakeprovider.Behaviour{Chunks: 20}, streamBody},
		"no usage": {fakeprovider.Behaviour{NoUsage: true}, body},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, false)
			d.allow(t, true)
			d.fake.Next(c.b)
			first := d.send(t, chatPath, "k", c.body)
			d.useUp(t)
			spent := d.balance(t)
			again := d.send(t, chatPath, "k", c.body)
			if again.status != 200 || again.body != first.body || again.header.Get("Content-Type") != first.header.Get("Content-Type") {
				t.Errorf("got %d %.100q, want %.100q", again.status, again.body, first.body)
			}
			if again.header.Get(gateway.HeaderReplayed) != "true" || again.header.Get(gateway.HeaderCall) != first.header.Get(gateway.HeaderCall) {
				t.Errorf("got %v", again.header)
			}
			if got := d.balance(t); got != spent {
				t.Errorf("balance %+v, want %+v", got, spent)
			}
			d.reached(t, 1)
			d.allow(t, false)
			if r := d.send(t, chatPath, "k", c.body); r.status != 409 {
				t.Errorf("taken back: got %d, want 409", r.status)
			}
		})
	}
}

// TestWhatIsNotKept: an answer that is too large or was cut, and errors of the provider.
func TestWhatIsNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		b           fakeprovider.Behaviour
		body        string
		first, then int
		sent        int
	}{
		"too large":  {fakeprovider.Behaviour{Text: []string{strings.Repeat("x", 300<<10)}}, body, 200, 409, 1},
		"cut":        {fakeprovider.Behaviour{CutAfter: 1}, streamBody, 200, 409, 1},
		"dropped":    {fakeprovider.Behaviour{Drop: true}, body, 502, 409, 1},
		"html":       {fakeprovider.Behaviour{Body: "<html>hi</html>", Header: http.Header{"Content-Type": {"text/html"}}}, body, 502, 409, 1},
		"429":        {fakeprovider.Behaviour{Status: 429}, body, 429, 200, 2}, // cost nothing: the key is free
		"500":        {fakeprovider.Behaviour{Status: 500}, body, 500, 200, 2},
		"key is bad": {fakeprovider.Behaviour{Status: 401}, body, 502, 200, 2},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, false)
			d.allow(t, true)
			d.fake.Next(c.b)
			first, then := d.send(t, chatPath, "k", c.body), d.send(t, chatPath, "k", c.body)
			if first.status != c.first || then.status != c.then || then.header.Get(gateway.HeaderReplayed) != "" {
				t.Errorf("got %d then %d, want %d then %d: %s", first.status, then.status, c.first, c.then, then.body)
			}
			d.reached(t, c.sent)
		})
	}
}

// TestARefusedCallLeavesItsKey: what never reached the provider may be sent again with its key.
func TestARefusedCallLeavesItsKey(t *testing.T) {
	d := open(t, false)
	dear := strings.Replace(body, `"max_tokens":100`, `"max_tokens":100000000`, 1)
	if r := d.send(t, chatPath, "k", dear); r.status != 429 {
		t.Fatalf("got %+v, want that the budget is too small", r)
	}
	if r := d.send(t, chatPath, "k", body); r.status != 200 {
		t.Errorf("got %+v: the refused call kept the key", r)
	}
	d.reached(t, 1)
}
