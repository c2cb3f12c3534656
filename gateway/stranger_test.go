package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// strangers refuses tokens that begin with "bad".
type strangers struct{ tokens }

func (s strangers) Admit(ctx context.Context, by token.Shown) (token.Passport, passport.Standing, error) {
	if strings.HasPrefix(by.Access, "bad") {
		return token.Passport{}, passport.Standing{}, problem.New(problem.Unauthenticated, "Token not found")
	}
	return s.tokens.Admit(ctx, by)
}

// dangle begins a request whose body never ends: n bytes of it are sent, more are announced. It returns when the broker has
// taken them.
func (d *desk) dangle(t *testing.T, path, token string, n int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", d.srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// Expect: the broker's go-ahead tells that it reads the body.
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", path, token, 1<<20)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusContinue {
		t.Fatalf("got %v %v, want the go-ahead", res, err)
	}
	if _, err := io.WriteString(conn, strings.Repeat(" ", n)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestUnsentBodiesKeepNobodyOut: whoever announces large bodies and sends none of them takes no room.
func TestUnsentBodiesKeepNobodyOut(t *testing.T) {
	d := open(t, false)
	for range 4 { // MaxBodies is room for two
		d.dangle(t, "/v1/chat/completions", "x", 0)
	}
	if res := d.post(t, body); res.StatusCode != http.StatusOK {
		t.Errorf("got %d, want 200", res.StatusCode)
	}
}

// TestStrangersTakeNoRoom: /proxy/chat reads a body before it tells of a bad token; what strangers send there leaves the room of
// those with a token alone.
func TestStrangersTakeNoRoom(t *testing.T) {
	d := open(t, false)
	d.gw.Tokens = strangers{tokens{d: d}}
	refused := make(chan error, 2)
	for range 2 { // strangers have room for one
		conn := d.dangle(t, "/proxy/chat", "bad", 1<<20-1)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		go func() {
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err == nil && res.StatusCode != http.StatusTooManyRequests {
				err = fmt.Errorf("got %d", res.StatusCode)
			}
			refused <- err
		}()
	}
	if err := <-refused; err != nil {
		t.Errorf("strangers have no bound of their own: %v", err)
	}
	if res := d.post(t, body); res.StatusCode != http.StatusOK {
		t.Errorf("got %d, want 200", res.StatusCode)
	}
}
