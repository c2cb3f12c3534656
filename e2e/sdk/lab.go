package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// markBegin is what each case's mark begins with: the text by which the fake provider knows whose call it has.
const markBegin = "case-mark-"

// maxCase bounds what a suite tells the lab at one time, in bytes.
const maxCase = 1 << 20

// cell names one cell of the table.
type cell struct {
	Client  string // of clients
	Feature string // of features
	Target  string // of targets
}

func (c cell) String() string { return c.Client + " " + c.Target + " " + c.Feature }

// row is what became of a cell.
type row struct {
	cell
	Version string
	OK      bool
	Why     string // it is not OK
}

// report is what a suite tells when a case is over.
type report struct {
	Case    string
	Version string
	Error   string // empty: all that the SDK gave was as it must be
}

// open is a case that goes on.
type open struct {
	cell
	scenario
	grant, token, mark string // token: or the SDK key
}

// lab gives suites a grant and a mark for each case, and judges what came of it.
type lab struct {
	b *broker

	mu    sync.Mutex // guards what follows
	cases map[string]open
	rows  []row
}

func newLab(b *broker) *lab { return &lab{b: b, cases: map[string]open{}} }

func (l *lab) start() (origin string, stop func(), err error) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /case", func(w http.ResponseWriter, r *http.Request) { serve(w, r, l.begin) })
	mux.HandleFunc("POST /done", func(w http.ResponseWriter, r *http.Request) { serve(w, r, l.end) })
	return fakeprovider.Serve(mux)
}

// serve reads JSON, and answers with JSON or with 500 and a text.
func serve[In, Out any](w http.ResponseWriter, r *http.Request, do func(context.Context, In) (Out, error)) {
	var in In
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCase))
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	var out Out
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
		defer cancel()
		out, err = do(ctx, in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(out)
}

// begun is what a suite gets for a case.
type begun struct {
	None                   string // why the cell does not apply; then there is no more
	Case, Base, Key, Model string
	Picture, Sound         string // a PNG and a WAV in base64
}

func (l *lab) begin(ctx context.Context, which cell) (begun, error) {
	why, err := known(which)
	if err != nil || why != "" {
		return begun{None: why}, err
	}
	t, s := targets[which.Target], scenarios[which.Feature]
	details := fmt.Sprintf(`{"type":"ai_access","provider":%q,"models":%s,"capabilities":["chat","embeddings","images","audio"],"maxBudgetCents":10000,"maxRequests":%d,"rateLimit":%d}`,
		t.provider, cmp.Or(s.models, "[]"), cmp.Or(s.callsCap, 1000), cmp.Or(s.rate, 100_000))
	id, token, err := l.b.grant(ctx, details)
	if err == nil && s.key {
		token, err = l.b.key(ctx, id)
	}
	if err != nil {
		return begun{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := open{which, s, id, token, fmt.Sprintf("%s%d-", markBegin, len(l.cases)+1)}
	l.cases[c.mark] = c
	l.plan(c)
	return begun{Case: c.mark, Base: l.b.url, Key: token, Model: t.model, Picture: picture, Sound: base64.StdEncoding.EncodeToString(sound)}, nil
}

// verdict is what the lab thinks of a case; empty: all is as it must be.
type verdict struct{ Wrong string }

func (l *lab) end(ctx context.Context, r report) (verdict, error) {
	l.mu.Lock()
	c, ok := l.cases[r.Case]
	l.mu.Unlock()
	if !ok {
		return verdict{}, fmt.Errorf("no case has the mark %q", r.Case)
	}
	problems := l.judge(ctx, c)
	if r.Error != "" {
		problems = append([]string{r.Error}, problems...)
	}
	found := row{c.cell, r.Version, problems == nil, joinLines(problems)}
	l.mu.Lock()
	l.rows = append(l.rows, found)
	l.mu.Unlock()
	wrong := against(found)
	if wrong != "" {
		fmt.Printf("FAILED %s: %.900s\n", found.cell, wrong)
	}
	return verdict{wrong}, nil
}

// judge looks at what the provider got and at what the broker charged for it.
func (l *lab) judge(ctx context.Context, c open) []string {
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	over := func([]*fakeprovider.Request) bool {
		for _, req := range l.b.fake.With(c.mark) {
			if req.Live() {
				return false
			}
		}
		return true
	}
	if err := l.b.fake.Await(ctx, over); err != nil {
		say("a call goes on at the provider: %v", err)
	}
	seen := l.b.fake.With(c.mark)
	if len(seen) != c.calls {
		say("the provider saw %d calls, want %d", len(seen), c.calls)
	}
	billed := fakeprovider.Billed(seen)
	for _, req := range seen {
		for _, w := range inspect(c, req) {
			say("call %d: %s", req.Number, w)
		}
		if c.left && req.Finished() {
			say("call %d came to its end at the provider, and should have been cut", req.Number)
		}
	}
	for _, text := range c.contains {
		if !anyHas(seen, text) {
			say("no call has %q in its body: %s", text, bodies(seen))
		}
	}
	s, err := l.b.settled(ctx, c.grant)
	switch {
	case err != nil:
		say("%v", err)
	case s.SettledMicroUsd < billed:
		say("charged %d micro-dollars, the provider's bill is %d", s.SettledMicroUsd, billed)
	case c.free && s.SettledMicroUsd != 0:
		say("charged %d micro-dollars for what costs nothing", s.SettledMicroUsd)
	case !c.cut && !c.free && s.SettledMicroUsd != billed:
		say("charged %d micro-dollars for whole answers, the provider's bill is %d", s.SettledMicroUsd, billed)
	case len(seen) > 0 && s.UsageCount < int64(len(seen)):
		say("%d calls counted, the provider saw %d", s.UsageCount, len(seen))
	}
	return problems
}

func anyHas(seen []*fakeprovider.Request, text string) bool {
	for _, r := range seen {
		if strings.Contains(string(r.Body), text) {
			return true
		}
	}
	return false
}

func bodies(seen []*fakeprovider.Request) string {
	var all []string
	for _, r := range seen {
		all = append(all, fmt.Sprintf("%s %.600s", r.Path, r.Body))
	}
	return joinLines(all)
}

func (l *lab) seen() []row {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]row(nil), l.rows...)
}

func joinLines(lines []string) string { return strings.Join(lines, "\n") }
