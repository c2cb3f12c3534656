package gateway_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// script is what one provider's streams are made of. usage has two numbers, input and output.
type script struct {
	provider                             passport.Provider
	model, path, body, unary             string
	start, text, usage, astray, bad, end string
	marks                                []string // of a whole answer
}

func event(data string) string { return "data: " + data + "\n\n" }

var scripts = []script{
	{
		provider: passport.OpenAI, model: "gpt-4o-mini", path: "/v1/chat/completions", unary: "/v1/chat/completions",
		body:   `{"model":"gpt-4o-mini","max_tokens":5000,"stream":true,"messages":[{"role":"user","content":"hello"}]}`,
		start:  event(`{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}`),
		text:   event(`{"choices":[{"index":0,"delta":{"content":"some words"},"finish_reason":null}],"usage":null}`),
		usage:  event(`{"choices":[],"usage":{"prompt_tokens":%s,"completion_tokens":%s}}`),
		astray: event(`{"choices":[{"index":0,"delta":{"usage":{"prompt_tokens":1,"completion_tokens":1}}}],"usage":null}`),
		bad:    event(`{"error":{"message":"overloaded","type":"server_error"}}`), end: event(`[DONE]`), marks: []string{"[DONE]"},
	},
	{
		provider: passport.Anthropic, model: "claude-sonnet-4-5", path: "/anthropic/v1/messages", unary: "/anthropic/v1/messages",
		body: `{"model":"claude-sonnet-4-5","max_tokens":5000,"stream":true,"messages":[{"role":"user","content":"hello"}]}`,
		start: event(`{"type":"message_start","message":{"type":"message","content":[],"usage":{"input_tokens":10,"output_tokens":1}}}`) +
			event(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
		text:   event(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some words"}}`),
		usage:  event(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":%s,"output_tokens":%s}}`),
		astray: event(`{"type":"message_delta","delta":{"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}}`),
		bad:    event(`{"type":"error","error":{"type":"overloaded_error","message":"overloaded"}}`), end: event(`{"type":"message_stop"}`), marks: []string{"message_stop"},
	},
	{
		provider: passport.Google, model: "gemini-2.5-flash", path: "/google/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
		unary:  "/google/v1beta/models/gemini-2.5-flash:generateContent",
		body:   `{"contents":[{"role":"user","parts":[{"text":"hello"}]}],"generationConfig":{"maxOutputTokens":5000}}`,
		start:  event(`{"candidates":[{"content":{"parts":[{"text":""}]},"index":0}]}`),
		text:   event(`{"candidates":[{"content":{"parts":[{"text":"some words"}]},"index":0}]}`),
		usage:  event(`{"candidates":[{"index":0}],"usageMetadata":{"promptTokenCount":%s,"candidatesTokenCount":%s,"totalTokenCount":5}}`),
		astray: event(`{"candidates":[{"index":0,"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}}]}`),
		bad:    event(`{"error":{"code":503,"status":"UNAVAILABLE"}}`), end: event(`{"candidates":[{"finishReason":"STOP","index":0}]}`), marks: []string{"STOP"},
	},
}

func (s script) says(in, out string) string { return fmt.Sprintf(s.usage, in, out) }

// What a broken stream may cost.
const (
	theUsage = iota // what was told
	theHold
	theSeen   // what was seen: less than the hold, and no less than what was told
	seenOrAll // for Google, which has told no input, the hold; else what was seen
)

func (d *desk) ask(t *testing.T, path, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequest("POST", d.srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer x"}, "Content-Type": {"application/json"}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// hold is what a stream of a script sets aside.
func (d *desk) hold(t *testing.T, res *http.Response) passport.Money {
	t.Helper()
	left, _, _ := told(t, res.Header)
	return d.balance(t).Cap - passport.Money(left)
}

// priced is what a script's model costs for what was told.
func (s script) priced(t *testing.T, input, output int64) passport.Money {
	t.Helper()
	tariff, err := meter.LoadTariff()
	if err != nil {
		t.Fatal(err)
	}
	p, ok := tariff.Price(s.provider, s.model)
	if !ok {
		t.Fatalf("%s has no price", s.model)
	}
	return p.Cost(passport.Usage{Known: true, Input: input, Output: output})
}

// TestBrokenStreams: whatever a provider does wrong in mid-stream, in each dialect. A stream that is not whole never looks whole, and
// costs what the table of outcomes says.
func TestBrokenStreams(t *testing.T) {
	for _, s := range scripts {
		for name, c := range map[string]struct {
			stream string
			cut    bool // the connection breaks; else the answer ends in good order
			whole  bool
			cost   int
			in     int64
			out    int64 // that were told
		}{
			"whole":                           {s.start + s.text + s.says("10", "20") + s.end, false, true, theUsage, 10, 20},
			"drops in the text":               {s.start + s.text, true, false, seenOrAll, 0, 0},
			"drops before the usage":          {s.start + strings.Repeat(s.text, 20), true, false, seenOrAll, 0, 0},
			"drops behind the usage":          {s.start + s.text + s.says("10", "20"), true, false, theSeen, 10, 20},
			"drops in the usage":              {s.start + s.text + s.says("10", "20")[:30], true, false, seenOrAll, 0, 0},
			"drops behind its end mark":       {s.start + s.text + s.says("10", "20") + s.end, true, true, theUsage, 10, 20},
			"ends without its end mark":       {s.start + s.text, false, false, seenOrAll, 0, 0},
			"ends behind the usage":           {s.start + s.text + s.says("10", "20"), false, false, theSeen, 10, 20},
			"ends without a word":             {": nothing\n\n", false, false, -1, 0, 0},
			"no usage":                        {s.start + s.text + s.end, false, true, theHold, 0, 0},
			"null usage":                      {s.start + s.text + s.says("null", "null") + s.end, false, true, theHold, 0, 0},
			"negative usage":                  {s.start + s.text + s.says("-10", "20") + s.end, false, true, theHold, 0, 0},
			"a fraction":                      {s.start + s.text + s.says("10", "20.5") + s.end, false, true, theHold, 0, 0},
			"a text":                          {s.start + s.text + s.says(`"10"`, "20") + s.end, false, true, theHold, 0, 0},
			"NaN":                             {s.start + s.text + s.says("10", "NaN") + s.end, false, true, theHold, 0, 0},
			"huge":                            {s.start + s.text + s.says("10", "99999999999999999999") + s.end, false, true, theHold, 0, 0},
			"usage in the wrong place":        {s.start + s.text + s.astray + s.end, false, true, theHold, 0, 0},
			"twice the same":                  {s.start + s.text + s.says("10", "20") + s.says("10", "20") + s.end, false, true, theUsage, 10, 20},
			"twice, the second more":          {s.start + s.text + s.says("10", "20") + s.says("10", "30") + s.end, false, true, theUsage, 10, 30},
			"text behind the usage":           {s.start + s.says("10", "20") + s.text + s.end, false, true, theHold, 0, 0},
			"an error in the middle":          {s.start + s.text + s.bad, false, false, theHold, 0, 0},
			"garbage in an event":             {s.start + event(`{"\x00`) + s.text, true, false, theHold, 0, 0},
			"HTML":                            {"<html>maintenance</html>", false, false, theHold, 0, 0},
			"a line without an end":           {s.start + "data: " + strings.Repeat("x", dialect.MaxEvent), false, false, theHold, 0, 0},
			"a piece of another kind":         {s.start + event(`{"type":"content_block_start","content_block":{"type":"thinking"}}`) + s.text, true, false, -1, 0, 0},
			"an event that is not understood": {s.start + event(`[1,2]`) + s.text, true, false, theHold, 0, 0},
		} {
			if s.provider == passport.Anthropic && (name == "null usage" || name == "usage in the wrong place") {
				c.cost = -1 // message_start has told the input; the output is not told, which the dialect's own tests cover
			}
			if s.provider == passport.Google && name == "drops behind its end mark" {
				c.cost = theSeen // Google has no mark behind which nothing comes
			}
			t.Run(string(s.provider)+"/"+name, func(t *testing.T) {
				d := openWith(t, setup{provider: s.provider, idle: time.Minute})
				d.fake.Next(fakeprovider.Behaviour{Body: c.stream, CutAtEnd: c.cut, Header: http.Header{"Content-Type": {"text/event-stream"}}})
				res := d.ask(t, s.path, s.body)
				all, _ := io.ReadAll(res.Body)
				looks := false
				for _, m := range s.marks {
					looks = looks || strings.Contains(string(all), m)
				}
				if res.StatusCode != 200 || looks != c.whole || !c.whole && !errorLast(all) {
					t.Errorf("%d, looks whole %v, want %v: %.600s", res.StatusCode, looks, c.whole, all)
				}
				b, hold, told := d.balance(t), d.hold(t, res), s.priced(t, c.in, c.out)
				cost := c.cost
				if cost == seenOrAll {
					if cost = theSeen; s.provider == passport.Google {
						cost = theHold
					}
				}
				good := b.Held == 0 && b.Settled > 0 && b.Settled <= hold && b.Calls == 1
				switch cost {
				case theUsage:
					good = good && b.Settled == told
				case theHold:
					good = good && b.Settled == hold
				case theSeen:
					good = good && b.Settled < hold && b.Settled >= told
				}
				if !good {
					t.Errorf("balance %+v, the hold was %d, told was %d", b, hold, told)
				}
			})
		}
	}
}

// errorLast says whether the last event of a stream is an error, as a reader of events sees it.
func errorLast(stream []byte) bool {
	events := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(stream), "\r\n", "\n")), "\n\n")
	_, data, _ := strings.Cut("\n"+events[len(events)-1], "\ndata: ")
	return json.Valid([]byte(data)) && strings.Contains(data, `"error"`)
}

// TestBrokenJSON: answers in one piece that are not what they should be. What is not a whole JSON answer is a 502, and costs the hold.
func TestBrokenJSON(t *testing.T) {
	for name, c := range map[string]struct {
		b      fakeprovider.Behaviour
		status int
	}{
		"half":                {fakeprovider.Behaviour{Body: `{"choices":[{"message":{"content":"some`}, 502},
		"half, and cut":       {fakeprovider.Behaviour{Body: `{"choices":[`, CutAtEnd: true}, 502},
		"nothing":             {fakeprovider.Behaviour{Body: " "}, 502},
		"HTML":                {fakeprovider.Behaviour{Body: "<html>"}, 502},
		"HTML that says so":   {fakeprovider.Behaviour{Body: "<html>", Header: http.Header{"Content-Type": {"text/html"}}}, 502},
		"a text":              {fakeprovider.Behaviour{Body: `"sorry"`}, 502},
		"two":                 {fakeprovider.Behaviour{Body: `{}{}`}, 502},
		"no member":           {fakeprovider.Behaviour{Body: `{}`}, 200},
		"no usage":            {fakeprovider.Behaviour{NoUsage: true}, 200},
		"usage of NaN":        {fakeprovider.Behaviour{RawUsage: `{"prompt_tokens":NaN,"completion_tokens":1}`}, 502},
		"usage of less":       {fakeprovider.Behaviour{RawUsage: `{"prompt_tokens":-1,"input_tokens":-1,"promptTokenCount":-1}`}, 200},
		"long, and not whole": {fakeprovider.Behaviour{Body: `{"x":"` + strings.Repeat("x", 100<<10)}, -1},
	} {
		for _, s := range scripts {
			t.Run(string(s.provider)+"/"+name, func(t *testing.T) {
				d := openWith(t, setup{provider: s.provider, idle: time.Minute})
				release := make(chan struct{})
				c.b.BeforeHeaders = release
				d.fake.Next(c.b)
				held := make(chan passport.Money, 1)
				go func() {
					d.fake.AwaitCalls(t.Context(), 1)
					held <- d.balance(t).Held
					close(release)
				}()
				res := d.ask(t, s.unary, strings.Replace(s.body, `"stream":true,`, "", 1))
				all, err := io.ReadAll(res.Body)
				if c.status > 0 && res.StatusCode != c.status || c.status < 0 && err == nil {
					t.Errorf("got %d %v: %.300s", res.StatusCode, err, all)
				}
				if b, hold := d.balance(t), <-held; b.Settled != hold || b.Held != 0 || b.Calls != 1 || hold == 0 {
					t.Errorf("balance %+v, want the hold of %d", b, hold)
				}
			})
		}
	}
}

// TestAStallCostsTheTimeToo: the provider falls silent; it may have gone on all the while.
func TestAStallCostsTheTimeToo(t *testing.T) {
	for _, s := range scripts {
		d := openWith(t, setup{provider: s.provider, idle: 100 * time.Millisecond})
		never := make(chan struct{})
		d.fake.Next(fakeprovider.Behaviour{BeforeEnd: never})
		res := d.ask(t, s.path, s.body)
		all, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(all), "fell silent") || strings.Contains(string(all), s.marks[0]) {
			t.Errorf("%s: %v %s", s.provider, err, all)
		}
		hold := d.hold(t, res)
		if b := d.balance(t); b.Settled >= hold || b.Settled < s.priced(t, 10, 800) || b.Held != 0 {
			t.Errorf("%s: balance %+v, the hold was %d", s.provider, b, hold)
		}
	}
}

// TestChargesThatOwnersChoose: errors of 500 and above, and cut streams, may cost the hold.
func TestChargesThatOwnersChoose(t *testing.T) {
	for _, fiveXX := range []bool{false, true} {
		for status, charged := range map[int]bool{500: fiveXX, 503: fiveXX, 529: fiveXX, 400: false, 404: false, 429: false, 302: false} {
			d := openWith(t, setup{provider: passport.OpenAI, idle: time.Minute, fiveXX: fiveXX})
			d.fake.Next(fakeprovider.Behaviour{Status: status})
			d.post(t, body)
			if b := d.balance(t); (b.Settled > 0) != charged || b.Held != 0 || b.Calls != 1 {
				t.Errorf("%d, charged %v: %+v", status, charged, b)
			}
		}
	}
	d := openWith(t, setup{provider: passport.OpenAI, idle: time.Minute, cutHold: true})
	d.fake.Next(fakeprovider.Behaviour{CutAfter: 1})
	res := d.ask(t, scripts[0].path, scripts[0].body)
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if b, hold := d.balance(t), d.hold(t, res); b.Settled != hold {
		t.Errorf("a cut stream: %+v, want the hold of %d", b, hold)
	}
}

// TestARecalledStreamCostsWhatWasSeen, like one that its client left.
func TestARecalledStreamCostsWhatWasSeen(t *testing.T) {
	for _, s := range scripts {
		d := openWith(t, setup{provider: s.provider, idle: time.Minute})
		gate := make(chan struct{})
		d.fake.Next(fakeprovider.Behaviour{Chunks: 5, Gate: gate})
		res := d.ask(t, s.path, s.body)
		hold := d.hold(t, res)
		gate <- struct{}{}
		buf := make([]byte, 4096)
		for got := ""; !strings.Contains(got, "piece-0"); {
			n, err := res.Body.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got += string(buf[:n])
		}
		if n := d.board.End(d.grant.ID, problem.New(problem.GrantEnded, "the grant was revoked")); n != 1 {
			t.Fatalf("ended %d calls, want 1", n)
		}
		io.ReadAll(res.Body)
		if b := d.balance(t); b.Settled >= hold || b.Settled < s.priced(t, 10, 800) || b.Held != 0 {
			t.Errorf("%s: balance %+v, the hold was %d", s.provider, b, hold)
		}
	}
}
