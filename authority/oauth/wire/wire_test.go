package wire_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
)

func post(target, kind, body string) *http.Request {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return r
}

const form = "application/x-www-form-urlencoded"

// TestAForm: each parameter once, in the body, as text, within bounds; what is wrong is named (RFC 6749 §3.1, §3.2).
func TestAForm(t *testing.T) {
	for _, c := range []struct{ name, target, kind, body, wrong string }{
		{"good", "/oauth/token", form, "a=1&b=2&unknown=x", ""},
		{"with a charset", "/oauth/token", form + "; charset=utf-8", "a=1", ""},
		{"resource twice", "/oauth/token", form, "resource=a&resource=b", ""},
		{"twice", "/oauth/token", form, "a=1&a=2", "a: comes more than once"},
		{"twice and the same", "/oauth/token", form, "a=1&a=1", "a: comes more than once"},
		{"twice and one empty", "/oauth/token", form, "a=1&a=", "a: comes more than once"},
		{"resource too often", "/oauth/token", form, strings.Repeat("resource=a&", 9), "resource: comes more than 8 times"},
		{"in the address", "/oauth/token?client_secret=x", form, "a=1", "in the address"},
		{"JSON", "/oauth/token", "application/json", `{"a":1}`, "must be application/x-www-form-urlencoded"},
		{"no type", "/oauth/token", "", "a=1", "must be application/x-www-form-urlencoded"},
		{"a semicolon", "/oauth/token", form, "a=1;b=2", "not form-urlencoded"},
		{"a broken escape", "/oauth/token", form, "a=%zz", "not form-urlencoded"},
		{"no UTF-8", "/oauth/token", form, "a=%ff", "a: has bytes that are no text"},
		{"a zero", "/oauth/token", form, "a=%00", "a: has bytes that are no text"},
		{"long value", "/oauth/token", form, "a=" + strings.Repeat("x", wire.MaxValue+1), "a: has more than"},
		{"long body", "/oauth/token", form, "a=" + strings.Repeat("x", wire.MaxForm), "the body has more than"},
		{"many", "/oauth/token", form, strings.Join(names(65), "&"), "more than 64 parameters"},
	} {
		_, err := wire.ReadForm(httptest.NewRecorder(), post(c.target, c.kind, c.body))
		got := ""
		if err != nil {
			got = wire.From(err).Description
		}
		if (c.wrong == "") != (err == nil) || !strings.Contains(got, c.wrong) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.wrong)
		}
		if e, ok := errors.AsType[*wire.Error](err); err != nil && (!ok || e.Code != wire.InvalidRequest) {
			t.Errorf("%s: got %v, want invalid_request", c.name, err)
		}
	}
	f, err := wire.ReadForm(httptest.NewRecorder(), post("/", form, "a=1&empty=&resource=x&resource=y"))
	if err != nil || f.Get("a") != "1" || f.Has("empty") || len(f.All("resource")) != 2 {
		t.Errorf("got %v %v: an empty parameter counts as not there", f, err)
	}
	if _, err := f.Need("empty", 0); err == nil || wire.From(err).Description != "empty: is missing" {
		t.Errorf("got %v", err)
	}
}

func names(n int) (out []string) {
	for i := range n {
		out = append(out, "p"+strings.Repeat("x", i)+"=1")
	}
	return out
}

// TestErrors: a problem of any kind has one OAuth code and status; an unknown one tells nothing.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
		text   string
	}{
		{wire.Bad(wire.InvalidGrant, "no"), 400, "invalid_grant", "no"},
		{wire.Bad(wire.InvalidClient, "who"), 401, "invalid_client", "who"},
		{problem.New(problem.Invalid, "is long").In("scope"), 400, "invalid_request", "scope: is long"},
		{problem.New(problem.Invalid, "replayed").In("DPoP"), 400, "invalid_dpop_proof", "replayed"},
		{problem.New(problem.Unauthenticated, "old").In("DPoP-Nonce"), 400, "use_dpop_nonce", "old"},
		{problem.New(problem.GrantPaused, "the grant is paused"), 503, "temporarily_unavailable", "the grant is paused"},
		{problem.New(problem.GrantEnded, "the grant is revoked"), 400, "invalid_grant", "the grant is revoked"},
		{problem.New(problem.RateExceeded, "slowly").After(3 * time.Second), 429, "temporarily_unavailable", "slowly"},
		{problem.New(problem.Unavailable, "the disk is full"), 503, "temporarily_unavailable", "the disk is full"},
		{io.ErrUnexpectedEOF, 500, "server_error", "internal error"},
		{wire.Bad(wire.InvalidRequest, "a \"quoted\" \\ ä\n"), 400, "invalid_request", "a 'quoted' ' ??"},
	} {
		w := httptest.NewRecorder()
		wire.Fail(w, httptest.NewRequest("POST", "/oauth/token", nil), c.err)
		var got struct {
			Code string `json:"error"`
			Text string `json:"error_description"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || got.Code != c.code || got.Text != c.text {
			t.Errorf("%v: got %d %+v, want %d %s %q", c.err, w.Code, got, c.status, c.code, c.text)
		}
		if (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%v: got headers %v", c.err, w.Header())
		}
	}
}
