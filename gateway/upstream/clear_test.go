package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway/upstream"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

const hello = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"

// raw is a client of a provider that answers by hand: each function has one connection, in the order in which they come.
func raw(t *testing.T, conns ...func(net.Conn, *bufio.Reader)) *upstream.Client {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for _, f := range conns {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				f(conn, bufio.NewReader(conn))
			}()
		}
	}()
	u, err := url.Parse("http://" + ln.Addr().String() + "/v1")
	if err != nil {
		t.Fatal(err)
	}
	c := upstream.New(upstream.Config{Bases: map[passport.Provider]*url.URL{passport.OpenAI: u}, HeaderTimeout: time.Minute, IdleTimeout: time.Minute})
	t.Cleanup(c.Close)
	return c
}

// request reads one request from a connection.
func request(t *testing.T, r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		t.Errorf("body of a request: %v", err)
	}
	return true
}

func answer(t *testing.T, c *upstream.Client) string {
	t.Helper()
	ans, err := do(c, upstream.Request{Body: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	defer ans.Body.Close()
	got, err := io.ReadAll(ans.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestConnectionsAreKept: calls one after the other need one connection, also where the context of one that is over ends during the next.
func TestConnectionsAreKept(t *testing.T) {
	var made atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			made.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL + "/v1")
	if err != nil {
		t.Fatal(err)
	}
	c := upstream.New(upstream.Config{Bases: map[passport.Provider]*url.URL{passport.OpenAI: u}, HeaderTimeout: time.Minute, IdleTimeout: time.Minute})
	t.Cleanup(c.Close)
	before := func() {}
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		want := strings.Repeat("x", 1+i*5000) // those above 64 KiB are net/http's own
		ans, err := c.Do(ctx, upstream.Request{Provider: passport.OpenAI, Path: "/v1/x", Body: []byte(want)}, secret.New(key))
		if err != nil {
			t.Fatal(err)
		}
		before()
		got, err := io.ReadAll(ans.Body)
		if string(got) != want || err != nil {
			t.Fatalf("call %d: got %d bytes %v, want its own %d", i, len(got), err, len(want))
		}
		before = func() {
			cancel()
			ans.Body.Close()
		}
	}
	before()
	if n := made.Load(); n != 2 {
		t.Errorf("%d connections, want one for what is small and one for what is large", n)
	}
}

// TestConnectionsThatAreNoUse: one that the provider has closed, or on which it said more than it was asked, is not used again. What it said
// unasked is nobody's answer.
func TestConnectionsThatAreNoUse(t *testing.T) {
	second := func(conn net.Conn, r *bufio.Reader) {
		if request(t, r) {
			io.WriteString(conn, strings.Replace(hello, "hello", "again", 1))
		}
		io.Copy(io.Discard, r)
	}
	for _, c := range []struct {
		name, says string
		later      bool // only after the answer was read
		close      bool
	}{
		{"closed", "", true, true},
		{"more with the answer", strings.Replace(hello, "hello", "wrong", 1), false, false},
		{"more after it", strings.Replace(hello, "hello", "wrong", 1), true, false},
		{"a line end after it", "\r\n", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			read, said := make(chan struct{}), make(chan struct{})
			up := raw(t, func(conn net.Conn, r *bufio.Reader) {
				request(t, r)
				if !c.later {
					io.WriteString(conn, hello+c.says)
					close(said)
				} else {
					io.WriteString(conn, hello)
					<-read
					io.WriteString(conn, c.says)
					if c.close {
						conn.Close()
					}
					close(said)
				}
				io.Copy(io.Discard, r)
			}, second)
			if got := answer(t, up); got != "hello" {
				t.Fatalf("got %q", got)
			}
			close(read)
			<-said
			if got := answer(t, up); got != "again" {
				t.Errorf("got %q, want the answer of another connection", got)
			}
		})
	}
}

// TestConnectionsThatEndWithTheirAnswer: one whose answer says so, and one whose answer was left in the middle, though nothing shows on it.
func TestConnectionsThatEndWithTheirAnswer(t *testing.T) {
	for _, c := range []struct{ name, says string }{
		{"said so", strings.Replace(hello, "Content-Length", "Connection: close\r\nContent-Length", 1)},
		{"left", strings.Replace(hello, "5", "6", 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := raw(t, func(conn net.Conn, r *bufio.Reader) {
				request(t, r)
				io.WriteString(conn, c.says)
				if request(t, r) {
					t.Error("it was used again")
				}
			}, func(conn net.Conn, r *bufio.Reader) {
				request(t, r)
				io.WriteString(conn, hello)
				io.Copy(io.Discard, r)
			})
			ans, err := do(up, upstream.Request{Body: []byte(`{}`)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(ans.Body, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			if c.name != "left" {
				io.ReadAll(ans.Body)
			}
			ans.Body.Close()
			if got := answer(t, up); got != "hello" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestAnswersByHand: what may come before an answer, and what is none.
func TestAnswersByHand(t *testing.T) {
	hint := "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
	for _, c := range []struct {
		name, says string
		want       string // empty: the call fails
	}{
		{"plain", hello, "hello"},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\n" + hint + hello, "hello"},
		{"interim without end", strings.Repeat(hint, 100) + hello, ""},
		{"until it closes", "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\nhello", "hello"},
		{"pieces", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"},
		{"a long header", "HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("y", 100<<10) + "\r\nContent-Length: 5\r\n\r\nhello", ""},
		{"no HTTP", "SSH-2.0-x\r\n\r\n", ""},
		{"nothing", "", ""},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := raw(t, func(conn net.Conn, r *bufio.Reader) {
				request(t, r)
				io.WriteString(conn, c.says)
				if c.name != "plain" {
					conn.(*net.TCPConn).CloseWrite()
				}
				io.Copy(io.Discard, r)
			})
			ans, err := do(up, upstream.Request{Body: []byte(`{}`)})
			if err != nil {
				var failed *upstream.Error
				if c.want != "" || problem.KindOf(err) != problem.UpstreamFailed {
					t.Errorf("got %v", err)
				}
				if failed, _ = err.(*upstream.Error); failed == nil || !failed.Sent {
					t.Errorf("got %v, want that it may have been billed", err)
				}
				return
			}
			defer ans.Body.Close()
			if got, err := io.ReadAll(ans.Body); string(got) != c.want || err != nil || c.want == "" {
				t.Errorf("got %q %v, want %q", got, err, c.want)
			}
		})
	}
}

// TestAnAnswerThatBreaksOff is no whole one.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	for _, says := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nll",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n",
	} {
		up := raw(t, func(conn net.Conn, r *bufio.Reader) {
			request(t, r)
			io.WriteString(conn, says)
		})
		ans, err := do(up, upstream.Request{Body: []byte(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(ans.Body); problem.KindOf(err) != problem.UpstreamFailed {
			t.Errorf("%q: got %q %v, want UpstreamFailed", says, got, err)
		}
		ans.Body.Close()
	}
}

// TestEveryCallGetsItsOwnAnswer, while others are left in the middle or cut.
func TestEveryCallGetsItsOwnAnswer(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for range 50 {
			w.Write(body)
			w.(http.Flusher).Flush()
		}
	})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 30 {
				ctx, cancel := context.WithCancel(t.Context())
				mine := []byte(fmt.Sprintf("<%d %d>", g, i))
				ans, err := c.Do(ctx, upstream.Request{Provider: passport.OpenAI, Path: "/v1/x", Body: mine}, secret.New(key))
				if err != nil {
					t.Errorf("%s: %v", mine, err)
					cancel()
					return
				}
				if (g+i)%3 == 0 { // left in the middle
					io.ReadFull(ans.Body, make([]byte, 3))
				} else if (g+i)%3 == 1 { // cut while it is read
					go cancel()
					io.Copy(io.Discard, ans.Body)
				} else if got, err := io.ReadAll(ans.Body); !bytes.Equal(got, bytes.Repeat(mine, 50)) || err != nil {
					t.Errorf("%s: got %d bytes %v, want its own 50 times", mine, len(got), err)
				}
				ans.Body.Close()
				cancel()
			}
		})
	}
	wg.Wait()
}
