package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/testutil"
)

// raw opens a connection to the broker, with a deadline so that nothing hangs.
func (b *broker) raw() net.Conn {
	b.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(testutil.Patience))
	b.t.Cleanup(func() { c.Close() })
	return c
}

// exchange writes bytes as they are and reads answers until the broker closes or says no more. It returns the statuses.
func (b *broker) exchange(data string) (statuses []int, all string) {
	b.t.Helper()
	c := b.raw()
	if _, err := io.WriteString(c, data); err != nil {
		b.t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(3 * time.Second)) // for an answer to the last of what was sent, then it is over
	var seen bytes.Buffer
	br := bufio.NewReader(io.TeeReader(c, &seen))
	for {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			break
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		statuses = append(statuses, res.StatusCode)
	}
	return statuses, string(b.received(seen.Bytes()))
}

// TestThreat22FramingTricks: what two parsers could cut apart differently is refused, and nothing of it is served.
func TestThreat22FramingTricks(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 100))
	body := openAIBody("gpt-4o-mini", "smuggled", 50, false)
	auth := "Host: localhost\r\nAuthorization: Bearer " + g.token + "\r\nContent-Type: application/json\r\n"
	hidden := "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	for name, data := range map[string]string{
		"CL and TE":            "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":          "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Content-Length: 0\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body,
		"length list":          "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Content-Length: 0, " + strconv.Itoa(len(body)) + "\r\n\r\n" + body,
		"length with a plus":   "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Content-Length: +" + strconv.Itoa(len(body)) + "\r\n\r\n" + body,
		"strange TE":           "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"two TE":               "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"TE in HTTP/1.0":       "POST /v1/chat/completions HTTP/1.0\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"folded line":          "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "X-Fold: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
		"space before colon":   "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\nhello",
		"no host":              "GET /health HTTP/1.1\r\n\r\n",
		"two hosts":            "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"bare CR in a value":   "GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: a\rb\r\n\r\n",
		"NUL in a value":       "GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: a\x00b\r\n\r\n",
		"absolute form":        "GET http://127.0.0.1/grants HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer " + ownerToken + "\r\n\r\n",
		"absolute form, https": "GET https://api.openai.com/v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"authority form":       "CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443\r\nConnection: close\r\n\r\n",
		"asterisk form":        "GET * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"HTTP/0.9":             "GET /health\r\n\r\n",
		"HTTP/2 preface":       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"chunk of a wrong size": "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body)-3, body),
		"chunk size overflow": "POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nx\r\n0\r\n\r\n",
	} {
		before := len(b.fake.Requests())
		statuses, all := b.exchange(data)
		for _, s := range statuses {
			if s < 400 {
				t.Errorf("%s: answered %v: %.300s", name, statuses, all)
			}
		}
		if n := len(b.fake.Requests()) - before; n != 0 {
			t.Errorf("%s: %d hidden calls went upstream: %.300s", name, n, all)
		}
	}
	// An upgrade to h2c is not taken up: the answer is HTTP/1.1.
	statuses, all := b.exchange("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")
	if len(statuses) != 1 || statuses[0] != 200 || strings.Contains(all, "HTTP/1.1 101") {
		t.Errorf("h2c: %v %.300s", statuses, all)
	}
	// A body in honest chunks is fine.
	statuses, all = b.exchange("POST /v1/chat/completions HTTP/1.1\r\n" + auth + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body))
	if len(statuses) != 1 || statuses[0] != 200 {
		t.Errorf("chunked: %v %.300s", statuses, all)
	}
}

// TestThreat23OnlyCanonicalPaths are served.
func TestThreat23OnlyCanonicalPaths(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 100))
	body := openAIBody("gpt-4o-mini", "odd path", 50, false)
	for _, path := range []string{
		"/v1/../v1/chat/completions", "/v1//chat/completions", "//v1/chat/completions", "/./v1/chat/completions", "/v1/chat/completions/.", "/v1/chat/completions/..",
		"/v1/chat%2Fcompletions", "/v1/%63hat/completions", "/v1/chat/completions%00", "/%76%31/chat/completions", "/v1/chat/completions/", "/v1/chat/completions;x=1",
		"/V1/chat/completions", "/v1/chat/completions%3Fx", "/v1/%2e%2e/grants", "/grants/%2e%2e/stop", "/v1\\chat\\completions", "/anthropic/../v1/chat/completions",
		"/anthropic/v1/messages/../../../v1/chat/completions", "/google/v1beta/models/..%2f..%2fx:generateContent", "/google/v1beta/models/a/b:generateContent",
	} {
		for _, h := range []string{g.token, ownerToken} {
			statuses, all := b.exchange("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer " + h + "\r\nContent-Type: application/json\r\nContent-Length: " +
				strconv.Itoa(len(body)) + "\r\n\r\n" + body)
			if len(statuses) != 1 || statuses[0] != 400 && statuses[0] != 404 && statuses[0] != 405 {
				t.Errorf("%s: %v %.300s", path, statuses, all)
			}
		}
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d calls went upstream: %s", n, b.fake.Requests()[0].Path)
	}
	for _, path := range []string{"/grants/../health", "//health", "/%68ealth", "/health/%2e", "/./health"} {
		if statuses, all := b.exchange("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); len(statuses) != 1 || statuses[0] < 300 {
			t.Errorf("%s: %v %.200s", path, statuses, all)
		}
	}
}
