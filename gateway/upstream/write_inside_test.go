package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestRequestsAreWrittenAsNetHTTPReadsThem: what net/http's server reads is what was to be sent, and nothing behind it.
func TestRequestsAreWrittenAsNetHTTPReadsThem(t *testing.T) {
	header := http.Header{"Authorization": {"Bearer sk-0123456789"}, "Content-Type": {"application/json"}, "X-Twice": {"a", "b"}, "X-Empty": {""}, "X-Latin": {"caf\xe9"}}
	for name, c := range map[string]struct {
		method, address, host string
		body                  []byte
	}{
		"usual":                 {"POST", "http://127.0.0.1:8080/v1/chat/completions", "127.0.0.1:8080", []byte(`{"a":1}`)},
		"escaped, with a query": {"POST", "http://h/a%2Fb%20c?alt=sse&x=%26", "h", []byte("x")},
		"no path":               {"POST", "http://h", "h", []byte("x")},
		"no body":               {"GET", "http://h/v1/models", "h", nil},
		"an empty body":         {"POST", "http://h/v1", "h", []byte{}},
		"as long as is joined":  {"POST", "http://h/v1", "h", bytes.Repeat([]byte("x"), joined)},
		"longer":                {"POST", "http://h/v1", "h", bytes.Repeat([]byte("y"), joined+1)},
		"a zone":                {"POST", "http://[fe80::1%25eth0]:81/v1", "[fe80::1]:81", []byte("x")},
		"no body to post":       {"POST", "http://h/v1", "h", nil},
		"a name in Unicode":     {"POST", "http://b%C3%BCcher.example:81/v1", "xn--bcher-kva.example:81", []byte("x")},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(c.address)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := write(&out, &http.Request{Method: c.method, URL: u, Host: u.Host, Header: header}, c.body); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(&out)
			got, err := http.ReadRequest(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(got.Body)
			if err != nil || !bytes.Equal(body, c.body) || got.ContentLength != int64(len(c.body)) {
				t.Errorf("a body of %d bytes, announced as %d, %v: want %d", len(body), got.ContentLength, err, len(c.body))
			}
			if got.Method != c.method || got.RequestURI != u.RequestURI() || got.Host != c.host {
				t.Errorf("%s %s to %s, want %s %s to %s", got.Method, got.RequestURI, got.Host, c.method, u.RequestURI(), c.host)
			}
			got.Header.Del("Content-Length")
			if !maps.EqualFunc(got.Header, header, func(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }) {
				t.Errorf("header %v, want %v", got.Header, header)
			}
			if r.Buffered() > 0 || out.Len() > 0 {
				t.Errorf("%d bytes came behind it", r.Buffered()+out.Len())
			}
		})
	}
}

func TestWhatCannotStandInAHeaderIsNotWritten(t *testing.T) {
	for name, h := range map[string]http.Header{
		"a line end in a value": {"X-A": {"a\r\nX-B: b"}}, "a zero in a value": {"X-A": {"a\x00"}}, "a space in a name": {"X A": {"a"}}, "no name": {"": {"a"}},
		"another length": {"Content-Length": {"0"}}, "another end": {"Transfer-Encoding": {"chunked"}}, "another host": {"Host": {"i"}}, "a trailer": {"Trailer": {"X-A"}},
	} {
		var out bytes.Buffer
		err := write(&out, &http.Request{Method: "POST", URL: &url.URL{Path: "/"}, Host: "h", Header: h}, []byte("x"))
		if !errors.Is(err, errUnwritten) || out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes written", name, err, out.Len())
		}
	}
	for _, r := range []*http.Request{
		{Method: "POST", URL: &url.URL{Path: "/", RawQuery: "a= HTTP/1.1\r\nX-B: b"}, Host: "h"}, {Method: "POST", URL: &url.URL{Path: "/", RawQuery: "a=b c"}, Host: "h"},
		{Method: "POST", URL: &url.URL{Path: "/"}, Host: "h\r\nX-B: b"}, {Method: "POST", URL: &url.URL{Path: "/"}, Host: "a/b"},
	} {
		var out bytes.Buffer
		if err := write(&out, r, nil); !errors.Is(err, errUnwritten) || out.Len() > 0 {
			t.Errorf("%q to %q: %v, %q written", r.URL.RequestURI(), r.Host, err, out.String())
		}
	}
}

// TestNothingIsLeftOfACredential in the buffers that are used again.
func TestNothingIsLeftOfACredential(t *testing.T) {
	b := append(make([]byte, 0, 64), "Authorization: Bearer sk-0123456789"...)
	all := b[:cap(b)]
	buf := &b
	wipe(buf, b)
	if bytes.ContainsAny(all, "sk-0123456789") || len(*buf) != 0 {
		t.Errorf("%q is left", all)
	}
}
