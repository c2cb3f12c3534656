package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// scenario is what happens in the cases of a feature, whichever SDK and model has it.
type scenario struct {
	plans    []plan   // how the provider answers, one call after the other; the last stays. None: it answers well
	calls    int      // that the provider must see
	contains []string // texts, each of which one of the calls must have in its body
	models   string   // to be granted, as JSON; empty: every model of the target's provider
	callsCap int64    // 0: plenty
	rate     int64    // calls a minute; 0: plenty
	cut      bool     // no answer comes to its end: what is charged may be more than the provider's bill
	left     bool     // because the caller leaves: the provider must notice
	free     bool     // nothing may be charged
	key      bool     // the suite gets an SDK key of the grant, and no token
}

// plan is how the provider answers one call of a case, in whichever dialect it is asked. The zero plan answers well.
type plan struct {
	text     []string
	tools    []fakeprovider.Tool
	status   int  // an error of the provider's
	fails    int  // after so many pieces of content the stream ends with the provider's error event
	hangs    bool // after one piece of content nothing more comes
	revoked  bool // after one piece of content and before the last the owner revokes the grant
	together int  // the answer begins when so many calls of the case are there
}

// picture is a PNG of 8 x 8 pixels in base64.
const picture = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEElEQVR4nGNgaPiPHQ0tCQAqM1/BakZglgAAAABJRU5ErkJggg=="

// sound is a WAV of half a second of silence: 8,000 samples a second of 8 bits.
var sound = []byte("RIFF\xc4\x0f\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\xa0\x0f\x00\x00" +
	strings.Repeat("\x80", 4000))

var (
	weather = fakeprovider.Tool{Name: "weather", Input: `{"city":"Zürich","days":3}`}
	clock   = fakeprovider.Tool{Name: "clock", Input: `{"zone":"CET"}`}
)

// scenarios are what the suites expect: they know them by the name of the feature alone.
var scenarios = map[string]scenario{
	"unary":            {calls: 1},
	"sdk-key":          {calls: 1, key: true},
	"stream":           {calls: 1},
	"tools":            {calls: 2, plans: []plan{{tools: []fakeprovider.Tool{weather}}, {text: []string{"It is ", "mild."}}}, contains: []string{"21 degrees", "weather", "Zürich"}},
	"stream-tools":     {calls: 1, plans: []plan{{text: []string{"Let me ", "see."}, tools: []fakeprovider.Tool{weather, clock}}}, contains: []string{"weather", "clock"}},
	"structured":       {calls: 1, plans: []plan{{text: []string{`{"name":"Ada",`, `"age":36}`}}}, contains: []string{`"age"`}},
	"images-in":        {calls: 1, contains: []string{picture}},
	"embeddings":       {calls: 1},
	"image-generation": {calls: 1},
	"speech":           {calls: 1, contains: []string{"alloy"}},
	"transcription":    {calls: 1, contains: []string{`filename="audio.wav"`, string(sound)}},
	"responses":        {calls: 1},
	"stream-responses": {calls: 1},
	"responses-tools": {calls: 2, plans: []plan{{text: []string{"Let me ", "see."}, tools: []fakeprovider.Tool{weather}}, {text: []string{"It is ", "mild."}}},
		contains: []string{"21 degrees", "weather", "Zürich", "Let me see.", `"store":false`}},
	"responses-structured": {calls: 1, plans: []plan{{text: []string{`{"name":"Ada",`, `"age":36}`}}}, contains: []string{`"age"`}},
	"models":               {free: true},
	"count-tokens":         {calls: 1, free: true},
	"error-400":            {calls: 1, plans: []plan{{status: 400}}, free: true},
	"error-refused":        {free: true}, // a model that has no price
	"error-401":            {free: true},
	"error-403":            {free: true, models: `["another-model"]`},
	"error-404":            {calls: 1, plans: []plan{{status: 404}}, free: true},
	"error-409":            {calls: 1, plans: []plan{{status: 409}}, free: true},
	"error-422":            {calls: 1, plans: []plan{{status: 422}}, free: true},
	"error-429":            {calls: 1, plans: []plan{{status: 429}}, free: true},
	"error-rate":           {calls: 1, rate: 1},     // a call that goes well, and one that is too fast
	"error-spent":          {calls: 1, callsCap: 1}, // a call that goes well, and one that is refused and not tried again
	"error-500":            {calls: 1, plans: []plan{{status: 500}}, free: true},
	"error-529":            {calls: 1, plans: []plan{{status: 529}}, free: true},
	"retry":                {calls: 2, plans: []plan{{status: 500}, {}}},
	"mid-stream-error":     {calls: 1, plans: []plan{{fails: 2}}, cut: true},
	"revoked":              {calls: 1, plans: []plan{{revoked: true}}, cut: true, left: true},
	"abort":                {calls: 1, plans: []plan{{hangs: true}}, cut: true, left: true},
	"parallel":             {calls: 30, plans: []plan{{together: 30}}},
}

// plan tells the fake what to do with the calls of a case.
func (l *lab) plan(c open) {
	all := make([]fakeprovider.Behaviour, max(1, len(c.plans)))
	for i, p := range c.plans {
		b := fakeprovider.Behaviour{Text: p.text, Status: p.status, Fails: p.fails, Tools: p.tools}
		if b.Tools != nil && b.Text == nil {
			b.Text = []string{}
		}
		if p.hangs {
			b.Chunks, b.BeforeEnd = 1, make(chan struct{})
		}
		if p.revoked {
			gate := make(chan struct{})
			b.Gate = gate
			go l.revoke(c.grant, gate)
		}
		if p.together > 0 {
			gate := make(chan struct{})
			b.BeforeHeaders = gate
			go l.together(c.mark, p.together, gate)
		}
		all[i] = b
	}
	l.b.fake.When(c.mark, all[0], all[1:]...)
}

// revoke lets the provider send its first pieces, and then revokes the grant: the second can only go out when the first has.
func (l *lab) revoke(grant string, gate chan<- struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for range 2 {
		select {
		case gate <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
	var gone map[string]any
	if err := l.b.ask(ctx, "POST", "/grants/"+grant+"/revoke", ownerToken, "", &gone); err != nil {
		fmt.Println("FAILED to revoke:", err) // the stream goes on, and the case fails
	}
}

// together opens the gate when n calls of a case are there at once. If they do not come, it stays shut, and they fail.
func (l *lab) together(mark string, n int, gate chan<- struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if l.b.fake.Await(ctx, func([]*fakeprovider.Request) bool { return len(l.b.fake.With(mark)) >= n }) == nil {
		close(gate)
	}
}
