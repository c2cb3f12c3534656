package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway/upstream"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

const key = "sk-canary-0123456789abcdef"

func client(t *testing.T, h http.HandlerFunc) *upstream.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL + "/v1")
	if err != nil {
		t.Fatal(err)
	}
	g := *u
	g.Path = ""
	c := upstream.New(upstream.Config{
		Bases:         map[passport.Provider]*url.URL{passport.OpenAI: u, passport.Anthropic: &g, passport.Google: &g},
		HeaderTimeout: time.Minute, IdleTimeout: time.Minute, UserAgent: "aipassport/test"})
	t.Cleanup(c.Close)
	return c
}

func do(c *upstream.Client, r upstream.Request) (*upstream.Answer, error) {
	if r.Provider == "" {
		r.Provider = passport.OpenAI
	}
	if r.Path == "" {
		r.Path = "/v1/chat/completions"
	}
	return c.Do(context.Background(), r, secret.New(key))
}

// TestHeadersAreTheBrokersOwn: what reaches a provider is built from nothing.
func TestHeadersAreTheBrokersOwn(t *testing.T) {
	want := map[passport.Provider]map[string]string{
		passport.OpenAI:    {"Authorization": "Bearer " + key, "path": "/v1/chat/completions"},
		passport.Anthropic: {"X-Api-Key": key, "path": "/v1/chat/completions"},
		passport.Google:    {"X-Goog-Api-Key": key, "path": "/v1/chat/completions"},
	}
	for p, w := range want {
		var got http.Header
		var path string
		var length int64
		c := client(t, func(rw http.ResponseWriter, r *http.Request) {
			got, path, length = r.Header, r.URL.Path, r.ContentLength
		})
		ans, err := do(c, upstream.Request{Provider: p, Body: []byte(`{"a":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		ans.Body.Close()
		for _, name := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key"} {
			if got.Get(name) != w[name] {
				t.Errorf("%s: %s = %q, want %q", p, name, got.Get(name), w[name])
			}
			got.Del(name)
		}
		for name := range got {
			switch name {
			case "User-Agent", "Accept", "Accept-Encoding", "Content-Type", "Content-Length":
			default:
				t.Errorf("%s: header %s reached the provider", p, name)
			}
		}
		if path != w["path"] || length != 7 {
			t.Errorf("%s: path %q length %d, want %q 7", p, path, length, w["path"])
		}
	}
}

// TestKeyNeverComesBack: a provider that shows the key back, whole or split over writes, in a body or a header.
func TestKeyNeverComesBack(t *testing.T) {
	for cut := range len(key) + 1 {
		c := client(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Echo", "your key is "+key)
			io.WriteString(w, "before sk- "+key[:cut])
			w.(http.Flusher).Flush()
			io.WriteString(w, key[cut:]+" after "+key+key[:5])
		})
		ans, err := do(c, upstream.Request{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(ans.Body)
		if err != nil {
			t.Fatal(err)
		}
		ans.Body.Close()
		stars := strings.Repeat("*", len(key))
		if want := "before sk- " + stars + " after " + stars + key[:5]; string(got) != want {
			t.Errorf("cut at %d: got %q, want %q", cut, got, want)
		}
		if ans.Header.Get("X-Echo") != "" {
			t.Errorf("the key came back in a header: %q", ans.Header.Get("X-Echo"))
		}
	}
}

// TestChunksAreNotHeldBack: a chunk that holds nothing like the key is there before the next one is written.
func TestChunksAreNotHeldBack(t *testing.T) {
	next := make(chan struct{})
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			io.WriteString(w, "data: task s\n\n")
			w.(http.Flusher).Flush()
			<-next
		}
	})
	ans, err := do(c, upstream.Request{Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ans.Body.Close()
	buf := make([]byte, 14)
	for range 3 {
		if _, err := io.ReadFull(ans.Body, buf); err != nil {
			t.Fatal(err)
		}
		next <- struct{}{}
	}
}

// TestOneAttempt: a connection that the provider closes while the call is on it is not tried again.
func TestOneAttempt(t *testing.T) {
	var calls atomic.Int64
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			return
		}
		io.Copy(io.Discard, r.Body)
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
	})
	ans, err := do(c, upstream.Request{Body: []byte(`{}`)}) // leaves a kept-alive connection
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, ans.Body)
	ans.Body.Close()
	_, err = do(c, upstream.Request{Body: []byte(`{}`)})
	ue, ok := errors.AsType[*upstream.Error](err)
	if !ok || !ue.Sent {
		t.Fatalf("got %v, want an error that says bytes may have left", err)
	}
	if calls.Load() != 2 {
		t.Errorf("the provider saw %d calls, want 2", calls.Load())
	}
}

func TestRefusedConnectionWasNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/v1"}
	l.Close()
	c := upstream.New(upstream.Config{Bases: map[passport.Provider]*url.URL{passport.OpenAI: u}, HeaderTimeout: time.Minute, IdleTimeout: time.Minute})
	_, err = do(c, upstream.Request{Body: []byte(`{}`)})
	ue, ok := errors.AsType[*upstream.Error](err)
	if !ok || ue.Sent || ue.Err.Kind != problem.UpstreamFailed {
		t.Errorf("got %v, want UpstreamFailed, not sent", err)
	}
}

func TestRedirectAndEncodedAnswers(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	ans, err := do(c, upstream.Request{Body: []byte(`{}`)})
	if err != nil || ans.Status != http.StatusTemporaryRedirect {
		t.Errorf("redirect: got %v %v, want it back unfollowed", ans, err)
	}
	c = client(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("Accept-Encoding = %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
	})
	if _, err = do(c, upstream.Request{}); problem.KindOf(err) != problem.UpstreamFailed {
		t.Errorf("encoded: got %v, want UpstreamFailed", err)
	}
}

// TestSilence: a provider that stops talking in mid-answer ends the read, with the reason.
func TestSilence(t *testing.T) {
	free := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		<-free
	}))
	defer srv.Close()
	defer close(free)
	u, _ := url.Parse(srv.URL + "/v1")
	c := upstream.New(upstream.Config{Bases: map[passport.Provider]*url.URL{passport.OpenAI: u}, HeaderTimeout: time.Minute, IdleTimeout: 50 * time.Millisecond})
	ans, err := do(c, upstream.Request{})
	if err != nil {
		t.Fatal(err)
	}
	defer ans.Body.Close()
	got, err := io.ReadAll(ans.Body)
	if string(got) != "a" || problem.KindOf(err) != problem.UpstreamTimeout {
		t.Errorf("got %q %v, want \"a\" and UpstreamTimeout", got, err)
	}
}

// TestCancelReachesTheProvider: a recalled call is cut upstream too, and the reader learns why.
func TestCancelReachesTheProvider(t *testing.T) {
	gone := make(chan struct{})
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancelCause(context.Background())
	ans, err := c.Do(ctx, upstream.Request{Provider: passport.OpenAI, Path: "/v1/x", Body: []byte(`{}`)}, secret.New(key))
	if err != nil {
		t.Fatal(err)
	}
	cancel(problem.New(problem.GrantEnded, "the grant was revoked"))
	if _, err := io.ReadAll(ans.Body); problem.KindOf(err) != problem.GrantEnded {
		t.Errorf("got %v, want GrantEnded", err)
	}
	ans.Body.Close()
	<-gone
}
