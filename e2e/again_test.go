package e2e_test

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// again makes a unary call with an Idempotency-Key.
func (b *broker) again(s speaker, token, key, prompt string) answer {
	b.t.Helper()
	h := s.auth(token)
	h.Set("Idempotency-Key", key)
	return b.send("POST", s.path, s.body(s.model, prompt, 50, false), h)
}

// atOnce makes n unary calls with one Idempotency-Key. The broker has all of them but for their last byte before one of them gets that: so
// they all find the key free when they look, and only the hold can tell them apart.
func (b *broker) atOnce(s speaker, token, key, prompt string, n int) (out []answer) {
	b.t.Helper()
	body := s.body(s.model, prompt, 50, false)
	last, release := &sync.WaitGroup{}, make(chan struct{})
	last.Add(n)
	answers := make(chan answer, n)
	for range n {
		go func() {
			req, err := http.NewRequestWithContext(testutil.Context(b.t), "POST", b.url+s.path, &held{Reader: strings.NewReader(body), free: len(body) - 1, last: last, release: release})
			if err != nil {
				panic(err)
			}
			req.ContentLength, req.Header = int64(len(body)), s.auth(token)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Idempotency-Key", key)
			a := answer{}
			if res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req); err == nil {
				a.status, a.header = res.StatusCode, res.Header
				a.body, _ = io.ReadAll(res.Body)
				res.Body.Close()
			}
			answers <- a
		}()
	}
	last.Wait()
	close(release)
	for range n {
		out = append(out, <-answers)
		b.received(out[len(out)-1].body)
	}
	return out
}

// held is a body whose last byte waits.
type held struct {
	io.Reader
	free    int // bytes that do not wait
	last    *sync.WaitGroup
	release <-chan struct{}
}

func (h *held) Read(p []byte) (int, error) {
	if h.free == 0 {
		h.last.Done()
		<-h.release
		h.free = -1
	}
	if h.free > 0 {
		p = p[:min(len(p), h.free)]
		h.free -= len(p)
	}
	return h.Reader.Read(p)
}

// onDisk says whether a text is in a file of the broker's data.
func (b *broker) onDisk(text string) (found bool) {
	b.t.Helper()
	err := filepath.WalkDir(b.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || bytes.Contains(content, []byte(text))
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// TestThreat28AKeyIsChargedOnce: every way in, one call at a time and forty at once, with and without kept answers.
func TestThreat28AKeyIsChargedOnce(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	b.keepSecret("order-canary-5521")
	for _, s := range everyone {
		g := b.give(s.scope(500, 100))
		before := len(b.fake.Requests())
		first := b.again(s, g.token, "order-canary-5521", "one")
		if first.status != 200 {
			t.Fatal(s.name, first)
		}
		id := first.header.Get("AIPassport-Call")
		second := b.again(s, g.token, "order-canary-5521", "one")
		if second.status != 409 || second.header.Get("AIPassport-Call") != id || second.header.Get("AIPassport-Cost-Micro-Usd") != first.header.Get("AIPassport-Cost-Micro-Usd") ||
			!strings.Contains(string(second.body), id) || second.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: sent again: %s %v", s.name, second, second.header)
		}
		if a := b.again(s, g.token, "order-canary-5521", "another"); a.status != 422 {
			t.Errorf("%s: another body: %s", s.name, a)
		}

		p.open("/grants/" + g.id)
		p.submit("/grants/"+g.id+"/answers", url.Values{"keep": {"yes"}})
		if !strings.Contains(p.text(), "Answers of this app are kept for a day") {
			t.Errorf("the page does not say that answers are kept: %s", p.text())
		}
		var whole string
		for _, a := range b.atOnce(s, g.token, "many", "many", 40) {
			switch a.status {
			case 200:
				if whole == "" {
					whole = string(a.body)
				}
				if string(a.body) != whole {
					t.Errorf("%s: got %s, want the same answer as the others", s.name, a)
				}
			case 409:
			default:
				t.Errorf("%s: got %s", s.name, a)
			}
		}
		if a := b.again(s, g.token, "many", "many"); a.status != 200 || a.header.Get("Idempotent-Replayed") != "true" || string(a.body) != whole {
			t.Errorf("%s: after all: %s %v", s.name, a, a.header)
		}
		if n := len(b.fake.Requests()) - before; n != 2 {
			t.Errorf("%s: %d calls reached the provider, want 2", s.name, n)
		}
		if st := b.settled(g.id); st.UsageCount != 2 {
			t.Errorf("%s: %d calls are counted, want 2", s.name, st.UsageCount)
		}
	}
}

// TestThreat28AKeyOutlivesACrash: killed while the call ran. The same key is refused with what recovery charged; an answer that was kept
// is there, and not in clear.
func TestThreat28AKeyOutlivesACrash(t *testing.T) {
	b := start(t, nil)
	p := b.setUp()
	s := native[0]
	g := b.give(s.scope(500, 100))
	p.open("/grants/" + g.id)
	p.submit("/grants/"+g.id+"/answers", url.Values{"keep": {"yes"}})
	b.fake.Next(fakeprovider.Behaviour{Text: []string{"answer-canary-7731"}})
	kept := b.again(s, g.token, "kept", "one")
	if kept.status != 200 || !strings.Contains(string(kept.body), "answer-canary-7731") {
		t.Fatal(kept)
	}
	if b.onDisk("answer-canary-7731") {
		t.Error("the kept answer is on disk in clear")
	}
	spent := b.settled(g.id).SettledMicroUsd

	calls := len(b.fake.Requests())
	b.fake.Next(fakeprovider.Behaviour{BeforeHeaders: make(chan struct{})})
	h := s.auth(g.token)
	h.Set("Idempotency-Key", "cut")
	body := s.body(s.model, "two", 50, false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = b.try("POST", s.path, body, h) // ends when the broker is killed
	}()
	if err := b.fake.AwaitCalls(testutil.Context(t), calls+1); err != nil {
		t.Fatal(err)
	}
	b.kill()
	<-done
	b.run()
	charged := b.standing(g.id).SettledMicroUsd - spent
	a := b.again(s, g.token, "cut", "two")
	if a.status != 409 || a.header.Get("AIPassport-Cost-Micro-Usd") == "" || charged <= 0 || !strings.Contains(string(a.body), "orphaned") {
		t.Errorf("after the crash: %s %v, charged %d", a, a.header, charged)
	}
	if a := b.again(s, g.token, "kept", "one"); a.status != 200 || string(a.body) != string(kept.body) {
		t.Errorf("the kept answer: %s", a)
	}
	if n := len(b.fake.Requests()) - calls; n != 1 {
		t.Errorf("%d calls reached the provider, want 1", n)
	}
	if st := b.settled(g.id); st.SettledMicroUsd != spent+charged {
		t.Errorf("settled %d, want %d", st.SettledMicroUsd, spent+charged)
	}
	b.verify()
}

// TestThreat28AFailedCallFreesItsKey: what cost nothing may be sent again, as SDKs do by themselves.
func TestThreat28AFailedCallFreesItsKey(t *testing.T) {
	b := start(t, nil)
	for _, s := range everyone {
		g := b.give(s.scope(500, 100))
		b.fake.Next(fakeprovider.Behaviour{Status: http.StatusServiceUnavailable})
		if a := b.again(s, g.token, "k", "one"); a.status != 503 || a.header.Get("X-Should-Retry") == "false" {
			t.Errorf("%s: %s %v", s.name, a, a.header)
		}
		if a := b.again(s, g.token, "k", "one"); a.status != 200 {
			t.Errorf("%s: sent again: %s", s.name, a)
		}
	}
}
