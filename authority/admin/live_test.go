package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devrelopers/aipassport/authority/admin"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// browser is one that reads what it is sent, or does not: then a write takes until its deadline.
type browser struct {
	mu       sync.Mutex
	got      strings.Builder
	head     http.Header
	code     int
	stuck    bool
	deadline time.Time
}

func (b *browser) Header() http.Header  { return b.head }
func (b *browser) WriteHeader(code int) { b.code = code }
func (b *browser) FlushError() error    { return nil }
func (b *browser) SetReadDeadline(time.Time) error {
	return nil
}
func (b *browser) SetWriteDeadline(t time.Time) error { b.deadline = t; return nil }

func (b *browser) Write(p []byte) (int, error) {
	if b.stuck {
		time.Sleep(time.Until(b.deadline)) // in a bubble
		return 0, os.ErrDeadlineExceeded
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got.Write(p)
}

func (b *browser) all() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got.String()
}

// messages are those that came, as JSON.
func (b *browser) messages(t *testing.T) (out []message) {
	t.Helper()
	for _, piece := range strings.Split(b.all(), "\n\n") {
		body, ok := strings.CutPrefix(piece, "data: ")
		if !ok {
			continue
		}
		var m message
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		out = append(out, m)
	}
	return out
}

type message struct {
	All, More string
	Parts     []movingPart
}

type movingPart struct {
	At, State, Say string
	Words          map[string]string
	Bars           map[string]struct{ Class, Label, Spent, Held string }
	Badges         []struct{ Text string }
}

// open opens the feed; gone is called when the browser leaves, and ended says when the broker does.
func (w *world) open(path string, b *browser) (gone context.CancelFunc, ended <-chan struct{}) {
	b.head = http.Header{}
	ctx, gone := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.mux.ServeHTTP(b, httptest.NewRequest("GET", "https://passport.example"+path, nil).WithContext(ctx))
	}()
	return gone, done
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// movingWorld has the clock of the bubble.
func movingWorld(t *testing.T) *world {
	w := newWorld(t)
	w.clock = time.Now
	w.now = time.Now()
	w.add("a", passport.GrantActive, passport.Balance{Cap: 5e6, Settled: 3180000, Held: 40000, Calls: 812, CallsCap: 2000})
	w.live["a"] = 2
	return w
}

func TestAPageMovesWithWhatItShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := movingWorld(t)
		var b browser
		gone, ended := w.open("/live", &b)
		wait := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		wait(0)
		if got := b.messages(t); len(got) != 1 || b.head.Get("Content-Type") != "text/event-stream" || b.head.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %v, %v", got, b.head)
		}
		// 1. Nothing changes: nothing is sent but a sign of life.
		wait(14 * time.Second)
		if s := b.all(); strings.Count(s, "data: ") != 1 || strings.Contains(s, ": ping") {
			t.Errorf("too early: %s", s)
		}
		wait(2 * time.Second)
		if s := b.all(); strings.Count(s, "data: ") != 1 || strings.Count(s, ": ping\n\n") != 1 {
			t.Errorf("no sign of life, or several: %s", s)
		}
		// 2. Much changes: two messages a second at most, the last of which has the last of it.
		w.do(func() { w.list[0].Total.Settled = 3000000 })
		begin := len(b.messages(t))
		for i := range 100 {
			w.do(func() { w.list[0].Total.Settled += passport.Cent; w.live["a"] = i })
			wait(20 * time.Millisecond)
		}
		wait(time.Second)
		got := b.messages(t)
		if n := len(got) - begin; n < 2 || n > 6 {
			t.Errorf("%d messages in 3 s", n)
		}
		last := got[len(got)-1].Parts[1]
		if last.At != "g-a" || last.Words["spent"] != "$4.00" || last.Words["live"] != "99 running calls" || last.Bars[""].Spent != "80.0" || last.Bars[""].Class != "hot" || last.State != "Running" {
			t.Errorf("got %+v", last)
		}
		// 3. It is paused, all is stopped, and a request comes.
		w.do(func() {
			w.stopped = time.Now()
			w.list[0].Grant.State = passport.GrantPaused
			w.live = map[passport.GrantID]int{}
		})
		more := got[len(got)-1].More
		wait(time.Second)
		got = b.messages(t)
		m := got[len(got)-1]
		if m.All != "stopped" || m.Parts[1].State != "Paused" || m.Parts[1].Say != "a.example.com: Paused" || m.Parts[1].Words["live"] != "" || m.More != more {
			t.Errorf("got %+v", m)
		}
		w.do(func() { w.add("b", passport.GrantPending, passport.Balance{}) })
		wait(time.Second)
		if got = b.messages(t); got[len(got)-1].More == more {
			t.Error("a new request is not told of")
		}
		// 4. It ends with the browser.
		gone()
		wait(0)
		if !closed(ended) {
			t.Error("it goes on without a browser")
		}
	})
}

// TestAFeedEndsWithItsSession: and with the broker, and with a browser that does not read.
func TestAFeedEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := movingWorld(t)
		stopping := make(chan struct{})
		w.stopping = stopping
		w.pages(t)
		var read, stuck, kept browser
		stuck.stuck = true
		_, slow := w.open("/live?grant=a", &stuck)
		_, signedIn := w.open("/live?grant=a", &read)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(read.messages(t)) != 1 || closed(slow) {
			t.Errorf("a browser that does not read holds another: %s", read.all())
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if !closed(slow) || closed(signedIn) {
			t.Error("a browser that does not read holds its connection, or another ended with it")
		}
		w.do(func() { w.nobody = true })
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if !closed(signedIn) {
			t.Error("it goes on without a session")
		}
		if rec := w.get("/live"); rec.Code != 401 || rec.Header().Get("Location") != "" {
			t.Errorf("nobody: %d", rec.Code)
		}
		w.do(func() { w.nobody = false })
		_, ended := w.open("/live", &kept)
		time.Sleep(time.Second)
		close(stopping)
		synctest.Wait()
		if !closed(ended) {
			t.Error("it goes on while the broker stops")
		}
		w.do(func() { w.broken = errors.New("disk") })
		if rec := w.get("/live?grant=a"); rec.Code < 500 || strings.Contains(rec.Body.String(), "disk") {
			t.Errorf("a broken store: %d", rec.Code)
		}
	})
}

func TestFeedsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := movingWorld(t)
		var leave []context.CancelFunc
		open := func() { gone, _ := w.open("/live?grant=a", &browser{}); leave = append(leave, gone); synctest.Wait() }
		for range admin.LiveASession {
			open()
		}
		if rec := w.get("/live"); rec.Code != 429 {
			t.Errorf("one session too much: %d", rec.Code)
		}
		w.do(func() { w.reads = 0 })
		time.Sleep(10 * time.Second)
		if w.do(func() {}); w.reads > 22 {
			t.Errorf("%d reads in 10 s: those who look at the same do not share them", w.reads)
		}
		for s := range admin.LiveInAll/admin.LiveASession - 1 {
			who := passport.PersonID(fmt.Sprint("p", 1+(s+1)*admin.LiveASession/admin.LiveAPerson))
			w.do(func() { w.visitor = web.NewVisitor(who, "somebody", passport.RoleOwner, []byte{byte(s)}) })
			for range admin.LiveASession {
				open()
			}
			if s == 2 { // p1 has all of theirs
				w.do(func() { w.visitor = web.NewVisitor("p1", "somebody", passport.RoleOwner, []byte("one more")) })
				if rec := w.get("/live"); rec.Code != 429 {
					t.Errorf("one person too much: %d", rec.Code)
				}
			}
		}
		w.do(func() { w.visitor = web.NewVisitor("p9", "somebody", passport.RoleOwner, []byte("another")) })
		if rec := w.get("/live"); rec.Code != 429 {
			t.Errorf("one in all too much: %d", rec.Code)
		}
		leave[0]()
		synctest.Wait()
		gone, ended := w.open("/live", &browser{})
		synctest.Wait()
		if closed(ended) {
			t.Error("a place that was left is not given again")
		}
		// A store that is slow is asked seldom.
		w.do(func() { w.slow, w.reads = 100*time.Millisecond, 0 })
		time.Sleep(21 * time.Second)
		if w.do(func() {}); w.reads > 24 {
			t.Errorf("a slow store was asked %d times in 21 s, for two pages", w.reads)
		}
		gone()
		for _, f := range leave {
			f()
		}
		synctest.Wait()
	})
}

func TestFeedsAreForOurOwnPages(t *testing.T) {
	w := newWorld(t)
	w.add("a", passport.GrantActive, passport.Balance{})
	for _, site := range []string{"cross-site", "same-site", "none"} {
		r := httptest.NewRequest("GET", "https://passport.example/live", nil)
		r.Header.Set("Sec-Fetch-Site", site)
		if rec := w.send(r); rec.Code != 403 || strings.Contains(rec.Body.String(), "a.example.com") {
			t.Errorf("%s: %d", site, rec.Code)
		}
	}
	if rec := w.get("/live?grant=nothing"); rec.Code != 404 {
		t.Errorf("no such app: %d", rec.Code)
	}
}

// TestPageAndFeedSayTheSame: what a page marks as moving is what the feed says of it, word for word, and nothing of it is missing.
func TestPageAndFeedSayTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := movingWorld(t)
		d := w.list[0].Grant.Details[0]
		d.Provider = passport.Google
		w.list[0].Grant.Details = append(w.list[0].Grant.Details, d)
		w.list[0].Details = []passport.Balance{{Cap: 4e6, Settled: 3e6, Calls: 800, CallsCap: 1000}, {Cap: 1e6, Settled: 180000, Calls: 12, CallsCap: 1000}}
		w.used = map[passport.GrantID]time.Time{"a": w.now.Add(-time.Hour)}
		for _, path := range []string{"/", "/grants/a", "/", "/grants/a"} {
			page := w.get(path).Body.String()
			feed := html.UnescapeString(regexp.MustCompile(`<main[^>]* data-live="([^"]*)"`).FindStringSubmatch(page)[1])
			var b browser
			gone, _ := w.open(feed, &b)
			synctest.Wait()
			gone()
			m := b.messages(t)[0]
			words, bars := map[string]string{}, 0
			for _, p := range m.Parts {
				if !strings.Contains(page, `id="`+p.At+`"`) {
					t.Errorf("%s has no %s", path, p.At)
				}
				for k, v := range p.Words {
					words[k] = v
				}
				for _, x := range p.Bars {
					bars++
					if !strings.Contains(page, `aria-label="`+x.Label+`"`) {
						t.Errorf("%s has no bar %s", path, x.Label)
					}
				}
			}
			marked := regexp.MustCompile(`data-l="([^"]+)"[^>]*>([^<]*)<`).FindAllStringSubmatch(page, -1)
			for _, at := range regexp.MustCompile(`<time datetime="([^"]*)" data-l="([^"]+)"[^>]*>([^<]*)<`).FindAllStringSubmatch(page, -1) {
				marked = slices.DeleteFunc(marked, func(m []string) bool { return m[1] == at[2] })
				if when, _ := time.Parse(time.RFC3339, at[1]); words[at[2]] != at[1] || (at[1] != "" && at[3] != web.Moment(when)) {
					t.Errorf("%s shows %q, %q for %s, the feed says %q", path, at[1], at[3], at[2], words[at[2]])
				}
			}
			for _, found := range marked {
				if v, ok := words[found[1]]; !ok || html.UnescapeString(found[2]) != v {
					t.Errorf("%s shows %q for %s, the feed says %q", path, found[2], found[1], v)
				}
			}
			if n := strings.Count(page, "data-bar="); len(marked) < 6 || n != bars {
				t.Errorf("%s: %d words, %d bars, the feed has %d", path, len(marked), n, bars)
			}
			if more := regexp.MustCompile(`data-more="([^"]*)"`).FindStringSubmatch(page)[1]; html.UnescapeString(more) != m.More || more == "" {
				t.Errorf("%s: %q, the feed says %q", path, more, m.More)
			}
			if i := slices.IndexFunc(m.Parts, func(p movingPart) bool { return p.At == "g-a" }); i < 0 || len(m.Parts[i].Badges) != 1 || m.Parts[i].Badges[0].Text != "Not checked" {
				t.Errorf("%s: badges", path)
			}
			if running := strings.Contains(page, ">2 running calls<"); running == strings.Contains(page, "1 running call<") {
				t.Errorf("%s does not say what is running", path)
			}
			if path == "/grants/a" { // once more with nothing here, and a call at another instance
				w.live, w.there = nil, map[passport.GrantID]int{"a": 1}
			}
		}
	})
}
