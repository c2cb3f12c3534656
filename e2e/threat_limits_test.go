package e2e_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// closes waits until the broker closes the connection, until the deadline of it.
func closes(t *testing.T, c net.Conn) {
	t.Helper()
	b, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection stays open; it said %.300s", b)
	}
}

// TestThreat24SlowClientsAreCut: slow headers, slow bodies, too many headers.
func TestThreat24SlowClientsAreCut(t *testing.T) {
	b := start(t, env{"AIPASSPORT_READ_HEADER_TIMEOUT": "500ms", "AIPASSPORT_BODY_TIMEOUT": "500ms"})
	g := b.give(native[0].scope(500, 100))
	head := "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + g.token + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
	for name, data := range map[string]string{
		"headers that never end": "GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ",
		"a body that never ends": fmt.Sprintf(head, "/v1/chat/completions") + "\r\n{\"model\":",
		"/proxy/chat":            fmt.Sprintf(head, "/proxy/chat") + "\r\n{\"model\":",
		"a grant request":        fmt.Sprintf(head, "/grant-requests") + "\r\n{\"appName\":",
		"a token request":        fmt.Sprintf(head, "/tokens") + "\r\n{\"grantId\":",
	} {
		t.Run(name, func(t *testing.T) {
			c := b.raw()
			c.SetDeadline(time.Now().Add(5 * time.Second))
			io.WriteString(c, data)
			closes(t, c)
		})
	}
	// One byte now and then does not buy more time.
	c := b.raw()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, fmt.Sprintf(head, "/v1/chat/completions")+"\r\n")
	stop := make(chan struct{})
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				io.WriteString(c, " ")
			case <-stop:
				return
			}
		}
	}()
	closes(t, c)
	close(stop)
	statuses, _ := b.exchange("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Big: " + strings.Repeat("x", 64<<10) + "\r\n\r\n")
	if len(statuses) != 1 || statuses[0] != 431 {
		t.Errorf("64 KB of headers: %v", statuses)
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d calls went upstream", n)
	}
	if a := b.call(native[0], g.token, "x"); a.status != 200 {
		t.Errorf("an honest call: %s", a)
	}
}

// TestThreat25StalledUpstreamsEnd: no headers, and silence in mid-stream.
func TestThreat25StalledUpstreamsEnd(t *testing.T) {
	b := start(t, env{"AIPASSPORT_UPSTREAM_HEADER_TIMEOUT": "500ms", "AIPASSPORT_STREAM_IDLE_TIMEOUT": "500ms"})
	never := make(chan struct{})
	for _, s := range everyone {
		g := b.give(s.scope(500, 100))
		b.fake.Next(fakeprovider.Behaviour{BeforeHeaders: never})
		if a := b.call(s, g.token, "x"); a.status != 504 && a.status != 502 {
			t.Errorf("%s: no headers: %s", s.name, a)
		}
		gate := make(chan struct{}, 1)
		gate <- struct{}{}
		b.fake.Next(fakeprovider.Behaviour{Gate: gate})
		st, err := b.stream(s, g.token, "x", 50)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.piece(0); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		silent := time.Now()
		all, _ := st.rest()
		if d := time.Since(silent); d > 5*time.Second || whole(all) {
			t.Errorf("%s: silence ended after %s with %s", s.name, d, all)
		}
		st.close()
		if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
			t.Fatal(err)
		}
		if got := b.settled(g.id); got.SettledMicroUsd == 0 {
			t.Errorf("%s: an answer that broke off cost nothing", s.name)
		}
	}
}

// TestThreat25SlowReadersAreCut: a client that does not take its stream does not keep the provider busy.
func TestThreat25SlowReadersAreCut(t *testing.T) {
	b := start(t, env{"AIPASSPORT_BODY_TIMEOUT": "500ms"})
	g := b.give(native[0].scope(5000, 100))
	b.fake.Next(fakeprovider.Behaviour{Endless: true, Text: []string{strings.Repeat("y", 8<<10)}})
	body := openAIBody("gpt-4o-mini", "slow", 50, true)
	c := b.raw()
	fmt.Fprintf(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", g.token, len(body), body)
	if err := b.fake.AwaitCalls(testutil.Context(t), 1); err != nil {
		t.Fatal(err)
	}
	if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil { // nothing is read here, and still it ends
		t.Fatalf("the provider is kept busy: %v", err)
	}
	if st := b.settled(g.id); st.SettledMicroUsd == 0 {
		t.Error("a stream that nobody read cost nothing")
	}
}

// TestThreat26Encodings: encoded requests and encoded answers are not taken.
func TestThreat26Encodings(t *testing.T) {
	b := start(t, nil)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	io.CopyN(z, zeros{}, 50<<20)
	z.Close()
	for _, s := range everyone {
		g := b.give(s.scope(500, 100))
		for _, enc := range []string{"gzip", "deflate", "br", "zstd", "gzip, identity"} {
			h := s.auth(g.token)
			h.Set("Content-Encoding", enc)
			a := b.send("POST", s.path, bomb.String(), h)
			if a.status != 415 {
				t.Errorf("%s, %s: %s", s.name, enc, a)
			}
			envelope(t, s, a)
		}
		before := len(b.fake.Requests())
		for _, streaming := range []bool{false, true} {
			b.fake.Next(fakeprovider.Behaviour{Gzip: true})
			path := s.path
			if streaming {
				path = s.streamPath
			}
			a := b.send("POST", path, s.body(s.model, "x", 50, streaming), s.auth(g.token))
			if a.status != 502 || bytes.Contains(a.body, []byte("\x1f\x8b")) {
				t.Errorf("%s, stream %v: an encoded answer: %d %.100q", s.name, streaming, a.status, a.body)
			}
		}
		if n := len(b.fake.Requests()) - before; n != 2 {
			t.Errorf("%s: %d calls went upstream, want 2", s.name, n)
		}
		if st := b.settled(g.id); st.SettledMicroUsd == 0 {
			t.Errorf("%s: answers that could not be read cost nothing", s.name)
		}
	}
	for _, path := range []string{"/grant-requests", "/tokens"} {
		if a := b.send("POST", path, bomb.String(), http.Header{"Content-Encoding": {"gzip"}}); a.status != 415 || a.str("error") == "" {
			t.Errorf("%s: %s", path, a)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestThreat27HugeLinesAndBodies end the answer, and the memory stays small.
func TestThreat27HugeLinesAndBodies(t *testing.T) {
	b := start(t, nil)
	for _, s := range native {
		g := b.give(s.scope(500, 100))
		b.fake.Next(fakeprovider.Behaviour{LongLine: 64 << 20})
		st, err := b.stream(s, g.token, "x", 50)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := io.Copy(io.Discard, st.res.Body)
		st.close()
		if n > 2<<20 {
			t.Errorf("%s: %d bytes of one line went through", s.name, n)
		}
		if err := b.fake.AwaitEnd(testutil.Context(t)); err != nil {
			t.Fatal(err)
		}
		if got := b.settled(g.id); got.SettledMicroUsd == 0 {
			t.Errorf("%s: it cost nothing", s.name)
		}
	}
	if kb := b.memory(); kb > 300<<10 {
		t.Errorf("%d KB in memory", kb)
	}
}

// memory is the most that the broker has had in memory, in KB.
func (b *broker) memory() (kb int) {
	b.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	if err != nil {
		b.t.Logf("no memory figures on this system: %v", err)
		return 0
	}
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Sscanf(line, "VmHWM: %d kB", &kb)
		}
	}
	b.t.Logf("%d KB in memory at most", kb)
	return kb
}

// TestThreat27BodiesAreBounded: past AIPASSPORT_MAX_BODY it is 413, with a length and without, in every dialect.
func TestThreat27BodiesAreBounded(t *testing.T) {
	b := start(t, env{"AIPASSPORT_MAX_BODY": "65536"})
	for _, s := range everyone {
		g := b.give(s.scope(5000, 100))
		fits := s.body(s.model, strings.Repeat("a", 60_000), 50, false)
		if a := b.send("POST", s.path, fits, s.auth(g.token)); a.status != 200 {
			t.Errorf("%s: %d bytes: %s", s.name, len(fits), a)
		}
		big := s.body(s.model, strings.Repeat("a", 70_000), 50, false)
		a := b.send("POST", s.path, big, s.auth(g.token))
		if a.status != 413 {
			t.Errorf("%s: %d bytes: %.200s", s.name, len(big), a)
		}
		envelope(t, s, a)
		req, err := http.NewRequest("POST", b.url+s.path, io.MultiReader(strings.NewReader(big)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = s.auth(g.token)
		req.Header.Set("Content-Type", "application/json")
		res, err := b.http.RoundTrip(req)
		if err != nil {
			t.Errorf("%s: chunked: %v", s.name, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != 413 {
			t.Errorf("%s: chunked: %s", s.name, res.Status)
		}
	}
}

// TestThreat24StrangersDoNotUseUpTheMemoryBudget: bodies that are announced and never sent, by callers without a token, leave
// room for everyone else's.
func TestThreat24StrangersDoNotUseUpTheMemoryBudget(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 100))
	for name, framing := range map[string]string{"unknown length": "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"mod\r\n", "large length": "Content-Length: 33554432\r\n\r\n{\"mod"} {
		t.Run(name, func(t *testing.T) {
			for range 60 {
				c := b.raw()
				defer c.Close()
				io.WriteString(c, "POST /proxy/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+framing)
			}
			for _, s := range []speaker{native[0], proxied[0]} {
				for range 20 { // so that the sixty are all being read by then
					if a := b.call(s, g.token, "honest"); a.status != 200 {
						t.Fatalf("%s: an honest call among sixty that hang: %s", s.name, a)
					}
				}
			}
		})
	}
}
