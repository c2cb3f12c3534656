package gateway_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway"
	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/passport"
)

// told is what the headers or trailers of an answer say.
func told(t *testing.T, h http.Header) (left, calls, cost int64) {
	t.Helper()
	for name, to := range map[string]*int64{gateway.HeaderBudget: &left, gateway.HeaderCalls: &calls, gateway.HeaderCost: &cost} {
		*to = -1
		if v := h.Get(name); v != "" {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			*to = n
		}
	}
	return left, calls, cost
}

// TestEveryAnswerTellsWhatIsLeft: whatever came of the call, what is told is what the ledger has afterwards; a stream tells at its start
// what is left beside its hold.
func TestEveryAnswerTellsWhatIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		b       fakeprovider.Behaviour
		body    string
		nothing bool // nothing was held, so no cost is told
	}{
		"answered":        {body: body},
		"not read":        {body: `{"model":"gpt-4o-mini","best_of":3,"messages":[]}`, nothing: true},
		"not JSON":        {body: `{`, nothing: true},
		"no price":        {body: `{"model":"gpt-99","max_tokens":1,"messages":[]}`, nothing: true},
		"no money":        {body: `{"model":"gpt-4o-mini","max_tokens":90000000,"messages":[]}`, nothing: true},
		"429":             {b: fakeprovider.Behaviour{Status: 429}, body: body},
		"500":             {b: fakeprovider.Behaviour{Status: 500}, body: body},
		"401":             {b: fakeprovider.Behaviour{Status: 401}, body: body},
		"302":             {b: fakeprovider.Behaviour{Status: 302}, body: body},
		"dropped":         {b: fakeprovider.Behaviour{Drop: true}, body: body},
		"dropped, stream": {b: fakeprovider.Behaviour{Drop: true}, body: streamBody},
		"no usage":        {b: fakeprovider.Behaviour{NoUsage: true}, body: body},
		"html":            {b: fakeprovider.Behaviour{Body: "<html>", Header: http.Header{"Content-Type": {"text/html"}}}, body: body},
		"half":            {b: fakeprovider.Behaviour{Body: `{"choices":[`}, body: body},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, false)
			d.fake.Next(c.b)
			res := d.post(t, c.body)
			left, calls, cost := told(t, res.Header)
			b := d.balance(t)
			if left != int64(b.Left()) || calls != b.CallsLeft() || b.Held != 0 {
				t.Errorf("told %d and %d calls, the ledger has %+v", left, calls, b)
			}
			if c.nothing != (cost < 0) || !c.nothing && cost != int64(b.Settled) {
				t.Errorf("told a cost of %d, the ledger has %+v", cost, b)
			}
		})
	}
	t.Run("refused connection", func(t *testing.T) {
		d := open(t, false)
		d.stop()
		res := d.post(t, body)
		left, calls, cost := told(t, res.Header)
		if b := d.balance(t); res.StatusCode != 502 || b.Calls != 0 || left != int64(b.Left()) || calls != b.CallsLeft() || cost != 0 {
			t.Errorf("%d: told %d and %d calls and a cost of %d, the ledger has %+v", res.StatusCode, left, calls, cost, b)
		}
	})
	t.Run("stream", func(t *testing.T) {
		d := open(t, false)
		gate := make(chan struct{})
		d.fake.Next(fakeprovider.Behaviour{Gate: gate})
		res := d.post(t, streamBody)
		left, calls, cost := told(t, res.Header)
		if b := d.balance(t); left != int64(b.Left()) || calls != b.CallsLeft() || cost >= 0 || b.Held == 0 {
			t.Errorf("told %d and %d calls and a cost of %d, the ledger has %+v", left, calls, cost, b)
		}
		close(gate)
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		if len(res.Trailer) > 0 {
			t.Errorf("trailers for a client that did not say it reads them: %v", res.Trailer)
		}
	})
}

// TestStreamsTellTheirCostInTrailers, whole or cut, where the client says that it reads them.
func TestStreamsTellTheirCostInTrailers(t *testing.T) {
	for name, b := range map[string]fakeprovider.Behaviour{"whole": {}, "cut": {CutAfter: 1}} {
		t.Run(name, func(t *testing.T) {
			d := open(t, false)
			d.fake.Next(b)
			req, _ := http.NewRequest("POST", d.srv.URL+"/v1/chat/completions", strings.NewReader(streamBody))
			req.Header = http.Header{"Authorization": {"Bearer x"}, "Content-Type": {"application/json"}, "Te": {"trailers"}}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				t.Fatal(err)
			}
			left, calls, cost := told(t, res.Trailer)
			if b := d.balance(t); left != int64(b.Left()) || calls != b.CallsLeft() || cost != int64(b.Settled) || cost == 0 {
				t.Errorf("told %d and %d calls and a cost of %d, the ledger has %+v", left, calls, cost, b)
			}
		})
	}
}

// TestStandingTellsTheMonthlyLimitsThatBind: what the grant can still spend under them, and of those that do not bind nothing.
func TestStandingTellsTheMonthlyLimitsThatBind(t *testing.T) {
	d := open(t, false)
	own := d.balance(t).Left()
	ends := passport.MonthOf(time.Now()).Ends().Format("2006-01-02T15:04:05.000Z")
	set := func(id passport.CeilingID, most passport.Money) {
		t.Helper()
		if err := d.store.SetCeiling(t.Context(), id, most, passport.Event{ID: passport.EventID(fmt.Sprint(id, most)), At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	limits := func() string {
		t.Helper()
		req, _ := http.NewRequest("GET", d.srv.URL+"/v1/grant", nil)
		req.Header = http.Header{"Authorization": {"Bearer x"}}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var got struct {
			RemainingMicroUsd int64
			Details           []struct {
				RemainingMicroUsd int64
				MonthlyLimits     json.RawMessage
			}
		}
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil || len(got.Details) != 1 || got.RemainingMicroUsd != int64(d.balance(t).Left()) {
			t.Fatalf("%+v %v", got, err)
		}
		return string(got.Details[0].MonthlyLimits)
	}
	if got := limits(); got != "[]" {
		t.Errorf("none is set: got %s", got)
	}
	set(passport.PersonCeiling, own)
	set(passport.KeyCeiling(passport.Anthropic), 1) // not this grant's
	if got := limits(); got != "[]" {
		t.Errorf("none leaves less than the grant's own caps: got %s", got)
	}
	set(passport.PersonCeiling, own-1)
	set(passport.KeyCeiling(passport.OpenAI), 5000)
	want := fmt.Sprintf(`[{"over":"provider","remainingMicroUsd":5000,"resetsAt":%q},{"over":"all","remainingMicroUsd":%d,"resetsAt":%[1]q}]`, ends, own-1)
	if got := limits(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	d.post(t, body)
	spent := int64(own - d.balance(t).Left())
	want = fmt.Sprintf(`[{"over":"provider","remainingMicroUsd":%d,"resetsAt":%q},{"over":"all","remainingMicroUsd":%d,"resetsAt":%[2]q}]`, 5000-spent, ends, int64(own)-1-spent)
	if got := limits(); got != want || spent == 0 {
		t.Errorf("after a call of %d: got %s, want %s", spent, got, want)
	}
	set(passport.PersonCeiling, 0)
	set(passport.KeyCeiling(passport.OpenAI), own+1)
	if got, want := limits(), fmt.Sprintf(`[{"over":"all","remainingMicroUsd":0,"resetsAt":%q}]`, ends); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestStandingIsWhatTheLedgerHas, wherever the token is, and asking costs nothing.
func TestStandingIsWhatTheLedgerHas(t *testing.T) {
	d := open(t, false)
	d.post(t, body)
	for _, h := range []http.Header{{"Authorization": {"Bearer x"}}, {"X-Api-Key": {"x"}}, {"X-Goog-Api-Key": {"x"}}} {
		req, _ := http.NewRequest("GET", d.srv.URL+"/v1/grant", nil)
		req.Header = h
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var got struct {
			GrantID, Status, ExpiresAt, TokenExpiresAt                        string
			CapMicroUsd, SettledMicroUsd, ReservedMicroUsd, RemainingMicroUsd int64
			CallsCap, Calls, CallsRemaining                                   int64
			Details                                                           []struct {
				Provider                                  string
				Models, Capabilities                      []string
				RateLimit, CapMicroUsd, RemainingMicroUsd int64
			}
		}
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != 200 {
			t.Fatalf("%v: %d %v", h, res.StatusCode, err)
		}
		b := d.balance(t)
		if got.GrantID != string(d.grant.ID) || got.Status != "approved" || got.CapMicroUsd != int64(b.Cap) || got.SettledMicroUsd != int64(b.Settled) || b.Settled == 0 ||
			got.RemainingMicroUsd != int64(b.Left()) || got.CallsCap != 1000 || got.Calls != 1 || got.CallsRemaining != 999 {
			t.Errorf("%v: got %+v, the ledger has %+v", h, got, b)
		}
		if len(got.Details) != 1 || got.Details[0].Provider != "openai" || got.Details[0].Models == nil || got.Details[0].RateLimit != 1000 ||
			got.Details[0].RemainingMicroUsd != int64(b.Left()) || len(got.Details[0].Capabilities) != 1 {
			t.Errorf("%v: details %+v", h, got.Details)
		}
		if left, calls, _ := told(t, res.Header); left != int64(b.Left()) || calls != 999 {
			t.Errorf("%v: headers tell %d, %d", h, left, calls)
		}
	}
	req, _ := http.NewRequest("GET", d.srv.URL+"/v1/grant", nil)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if all, _ := io.ReadAll(res.Body); res.StatusCode != 401 || !strings.Contains(string(all), `"error":{"message"`) {
		t.Errorf("without a token: %d %s", res.StatusCode, all)
	}
}
