package dialect_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/internal/problem"
)

// statuses is every kind and its status: a kind that is added must be added here.
var statuses = map[problem.Kind]int{
	problem.Internal: 500, problem.Invalid: 400, problem.Unauthenticated: 401, problem.Forbidden: 403, problem.SignInStale: 403, problem.NotFound: 404,
	problem.MethodNotAllowed: 405, problem.Conflict: 409, problem.KeyUsed: 409, problem.KeyReused: 422, problem.TooLarge: 413, problem.UnsupportedMedia: 415, problem.ModelNotGranted: 403,
	problem.CapabilityNotGranted: 403, problem.GrantEnded: 401, problem.GrantPaused: 403, problem.BudgetSpent: 429, problem.CallsSpent: 429,
	problem.RateExceeded: 429, problem.Busy: 429, problem.Unpriced: 400, problem.CredentialMissing: 502, problem.CredentialRefused: 502,
	problem.UpstreamFailed: 502, problem.UpstreamTimeout: 504, problem.Unavailable: 503, problem.ClientGone: 499,
}

func TestEveryKindHasAStatusAndACode(t *testing.T) {
	codes := map[string]problem.Kind{}
	for k := problem.Internal; k <= problem.ClientGone; k++ {
		want, ok := statuses[k]
		if !ok {
			t.Errorf("kind %d is not in the table", k)
		}
		if got := dialect.Status(k); got != want {
			t.Errorf("kind %d: got %d, want %d", k, got, want)
		}
		if other, taken := codes[dialect.Code(k)]; taken {
			t.Errorf("kinds %d and %d have the code %s", k, other, dialect.Code(k))
		}
		codes[dialect.Code(k)] = k
	}
	if got := dialect.Status(problem.Kind(9999)); got != 500 {
		t.Errorf("an unknown kind is %d, want 500", got)
	}
	if got := dialect.Code(problem.Kind(9999)); got != "internal_error" {
		t.Errorf("an unknown kind is %s, want internal_error", got)
	}
}

func TestWhenToTryAgain(t *testing.T) {
	for _, c := range []struct {
		p                *problem.Error
		retry, after, ms string
	}{
		{problem.New(problem.BudgetSpent, "x").After(time.Hour), "false", "", ""},
		{problem.New(problem.CallsSpent, "x").After(time.Hour), "false", "", ""},
		{problem.New(problem.CredentialRefused, "x"), "false", "", ""},
		{problem.New(problem.RateExceeded, "x").After(1001 * time.Millisecond), "", "2", "1001"},
		{problem.New(problem.RateExceeded, "x").After(time.Microsecond), "", "1", "1"},
		{problem.New(problem.RateExceeded, "x").After(2 * time.Second), "", "2", "2000"},
		{problem.New(problem.RateExceeded, "x"), "", "", ""},
		{problem.New(problem.Busy, "x").After(time.Second), "", "1", "1000"},
		{problem.New(problem.KeyUsed, "x"), "false", "", ""},
		{problem.New(problem.KeyUsed, "x").After(time.Second), "true", "1", "1000"},
		{problem.New(problem.KeyReused, "x"), "false", "", ""},
		{problem.New(problem.Invalid, "x").After(time.Second), "", "", ""},
		{nil, "", "", ""},
	} {
		h := dialect.Header(c.p)
		got := []string{h.Get("X-Should-Retry"), h.Get("Retry-After"), h.Get("Retry-After-Ms"), h.Get("Content-Type")}
		if d := cmp.Diff([]string{c.retry, c.after, c.ms, "application/json"}, got); d != "" {
			t.Errorf("%v: %s", c.p, d)
		}
	}
}

func TestDetailIsNeverTheCause(t *testing.T) {
	for _, p := range []*problem.Error{nil, problem.New(problem.Internal, "disk /secret"), problem.New(problem.Kind(9999), "disk /secret"), problem.From(http.ErrBodyNotAllowed)} {
		if got := dialect.Detail(p); got != "internal error" {
			t.Errorf("got %q", got)
		}
	}
	if got := dialect.Detail(problem.New(problem.NotFound, "")); got != "Not Found" {
		t.Errorf("got %q", got)
	}
}

func TestCleanTakesSecretsOut(t *testing.T) {
	for _, secret := range []string{
		"sk-proj-abcdefghijklmnop", "sk-ant-api03-AAAA-bbbb_cccc", "sk-proj-********************abcd", "AIzaSyA1234567890abcdefghijklmnopqrstuv",
		"AQ.Ab8RN6Kx_0123456789", "ya29.a0AfH6SMBx", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "0123456789abcdef0123456789abcdef",
		"Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==", "gsk_abcd1234",
	} {
		for _, text := range []string{secret, "Incorrect API key provided: " + secret + ". You can find", "Bearer " + secret, "https://x/y?key=" + secret + "&b=c", `{"a":"` + secret + `"}`} {
			got := dialect.Clean(text, 1000)
			if strings.Contains(got, secret) || strings.Contains(got, secret[len(secret)-6:]) {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
	for in, want := range map[string]string{
		"The model `claude-sonnet-4-20250514` does not exist": "The model `claude-sonnet-4-20250514` does not exist",
		"gemini-2.5-flash-lite-preview-09-2025 is gone":       "gemini-2.5-flash-lite-preview-09-2025 is gone",
		"task-management-system failed":                       "task-management-system failed",
		"a\r\nSet-Cookie: b\x00\x1b[31m":                      "a  Set-Cookie: b  [31m",
		"bad\xff\xfeutf":                                      "badutf",
		"bidi\u202etext\u200b":                                "biditext",
		"  x  ":                                               "x",
		"Authorization: Bearer abc def":                       "Authorization: Bearer [redacted] def",
		"see https://platform.openai.com/account/api-keys":    "see https://platform.openai.com/account/api-keys",
	} {
		if got := dialect.Clean(in, 1000); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if got := dialect.Clean(strings.Repeat("ä", 600), 1001); got != strings.Repeat("ä", 500) {
		t.Errorf("the cut is at %d bytes", len(got))
	}
}

func FuzzClean(f *testing.F) {
	f.Add("sk-abc Bearer x", 10)
	f.Fuzz(func(t *testing.T, s string, max int) {
		if max < 1 || max > 2000 {
			return
		}
		got := dialect.Clean(s, max)
		if len(got) > max || strings.ToValidUTF8(got, "") != got || strings.ContainsAny(got, "\x00\r\n") {
			t.Fatalf("%q became %q", s, got)
		}
	})
}
