package e2e_test

import (
	"crypto/tls"
	be "encoding/binary"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
	"github.com/devrelopers/aipassport/internal/testutil"
)

// TestHTTP2RevokeEndsItsStreamsAlone: within a second, with an error event and no end mark; a stream of another grant on the same connection
// goes on to its end.
func TestHTTP2RevokeEndsItsStreamsAlone(t *testing.T) {
	b := startTLS(t, env{}, true)
	for _, s := range native {
		g, other := b.give(s.scope(500, 10)), b.give(s.scope(500, 10))
		gates := []chan struct{}{make(chan struct{}), make(chan struct{})}
		var streams []*stream
		for i, token := range []string{g.token, other.token} {
			b.fake.Next(fakeprovider.Behaviour{Chunks: 2, Gate: gates[i]})
			st, err := b.stream(s, token, "x", 50)
			if err != nil || st.res.ProtoMajor != 2 {
				t.Fatalf("%s: %v %v", s.name, err, st)
			}
			defer st.close()
			testutil.Open(t, gates[i])
			if err := st.piece(0); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			streams = append(streams, st)
		}
		if a := b.owner("POST", "/grants/"+g.id+"/revoke", ""); a.status != 200 {
			t.Fatal(a)
		}
		revoked := time.Now()
		all, err := streams[0].rest()
		if d := time.Since(revoked); d > within || whole(all) || !strings.Contains(all, "error") || err != nil {
			t.Errorf("%s: after %s the revoked stream ended with %s %v", s.name, d, all, err)
		}
		testutil.Open(t, gates[1])
		if all, err := streams[1].rest(); err != nil || !whole(all) {
			t.Errorf("%s: the other stream: %s %v", s.name, all, err)
		}
	}
}

// TestHTTP2TakesABoundedNumberOfStreams, and says so in its first frame; TLS below 1.2 is refused.
func TestHTTP2TakesABoundedNumberOfStreams(t *testing.T) {
	b := startTLS(t, env{}, true)
	conf := b.http.TLSClientConfig.Clone()
	conf.NextProtos = []string{"h2"}
	conn := must(tls.Dial("tcp", strings.TrimPrefix(b.url, "https://"), conf))
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testutil.Patience))
	io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+"\x00\x00\x00\x04\x00\x00\x00\x00\x00") // the preface, and SETTINGS without any (RFC 9113 §3.4)
	head := make([]byte, 9)
	if _, err := io.ReadFull(conn, head); err != nil || head[3] != 4 {
		t.Fatalf("the first frame is no SETTINGS: %x %v", head, err)
	}
	settings := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(conn, settings); err != nil {
		t.Fatal(err)
	}
	most := uint32(0)
	for ; len(settings) >= 6; settings = settings[6:] {
		if be.BigEndian.Uint16(settings) == 3 { // SETTINGS_MAX_CONCURRENT_STREAMS (§6.5.2)
			most = be.BigEndian.Uint32(settings[2:])
		}
	}
	if most != 100 {
		t.Errorf("%d streams at once are taken, want 100", most)
	}
	old := b.http.TLSClientConfig.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", strings.TrimPrefix(b.url, "https://"), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 was taken")
	}
}

// TestALargeBodyOverHTTP2 goes through as it is, and one above the bound is refused; the next call goes through.
func TestALargeBodyOverHTTP2(t *testing.T) {
	b := startTLS(t, env{"AIPASSPORT_MAX_BODY": "3000000"}, true)
	g := b.give(scope("openai", "gpt-4o-mini", 10_000, 10))
	large := openAIBody("gpt-4o-mini", strings.Repeat("x", 2_900_000), 50, false)
	b.fake.Next(fakeprovider.Behaviour{Status: 400}) // 2.9 million tokens are more than the model takes
	if a := b.send("POST", "/v1/chat/completions", large, bearer(g.token)); a.status != 400 || !strings.Contains(string(b.fake.Requests()[0].Body), strings.Repeat("x", 2_900_000)) {
		t.Errorf("%d, %d bytes upstream", a.status, len(b.fake.Requests()[0].Body))
	}
	if a := b.send("POST", "/v1/chat/completions", openAIBody("gpt-4o-mini", strings.Repeat("x", 3_000_000), 50, false), bearer(g.token)); a.status != 413 {
		t.Errorf("too large: %s", a)
	}
	if a := b.call(native[0], g.token, "x"); a.status != 200 {
		t.Error(a)
	}
}

// TestARenewedCertificateCountsWithoutARestart: from the next connection on, while a stream of an old one goes on.
func TestARenewedCertificateCountsWithoutARestart(t *testing.T) {
	first := startTLS(t, env{}, true)
	s, gate := native[1], make(chan struct{})
	g := first.give(s.scope(500, 10))
	first.fake.Next(fakeprovider.Behaviour{Chunks: 1, Gate: gate})
	st, err := first.stream(s, g.token, "x", 50)
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	second := startTLS(t, env{}, true) // made for its certificate
	for _, name := range []string{"AIPASSPORT_TLS_CERT", "AIPASSPORT_TLS_KEY"} {
		if err := os.WriteFile(first.env[name], must(os.ReadFile(second.env[name])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	renewed := &http.Transport{TLSClientConfig: second.http.TLSClientConfig.Clone()}
	defer renewed.CloseIdleConnections()
	res, err := renewed.RoundTrip(must(http.NewRequestWithContext(testutil.Context(t), "GET", first.url+"/health", nil)))
	if err != nil {
		t.Fatalf("who knows the new certificate only: %v", err)
	}
	res.Body.Close()
	testutil.Open(t, gate)
	if all, err := st.rest(); err != nil || !whole(all) {
		t.Errorf("the stream of before: %s %v", all, err)
	}
}
