package identity_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/authority/identity"
	"github.com/devrelopers/aipassport/passport"
)

// commandLine is what aipassport login keeps to itself, and says.
func commandLine(port string) (verifier string, said url.Values) {
	verifier = strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	return verifier, url.Values{"challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "name": {"ada's laptop"}, "port": {port}, "state": {"st-1"}}
}

// answer opens the page and presses a button on it.
func (w *world) answer(said url.Values, decision string) *httptest.ResponseRecorder {
	w.t.Helper()
	page := w.send("GET", "/login/cli?"+said.Encode(), nil)
	form := url.Values{"csrf": {w.csrf(page.Body.String())}, "decision": {decision}}
	for name, v := range said {
		form[name] = v
	}
	return w.send("POST", "/login/cli", form)
}

func (w *world) redeem(code, verifier string) (status int, token string) {
	w.t.Helper()
	body, _ := json.Marshal(map[string]string{"code": code, "verifier": verifier})
	r := httptest.NewRequest("POST", "/login/cli/token", strings.NewReader(string(body)))
	r.RemoteAddr = w.from
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	var got struct{ Token string }
	json.Unmarshal(rec.Body.Bytes(), &got)
	return rec.Code, got.Token
}

var shownCode = regexp.MustCompile(`aria-label="Code" readonly value="([^"]+)"`)

func TestACommandLineSignsIn(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	verifier, said := commandLine("4711")
	page := w.send("GET", "/login/cli?"+said.Encode(), nil).Body.String()
	for _, text := range []string{"ada&#39;s laptop", identity.Compare(said.Get("challenge")), "This is not an app", "on this computer"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	rec := w.answer(said, "approve")
	goes, ok := strings.CutPrefix(rec.Header().Get("Refresh"), "0;url=http://127.0.0.1:4711/signed-in?")
	back, err := url.ParseQuery(goes)
	if !ok || err != nil || back.Get("state") != "st-1" || back.Get("code") == "" || len(w.store.tokens) != 0 {
		t.Fatalf("approved: %d, goes to %q", rec.Code, rec.Header().Get("Refresh"))
	}
	// Only who has the secret can use the code, and once.
	if status, _ := w.redeem(back.Get("code"), strings.Repeat("w", 43)); status != 401 || len(w.store.tokens) != 0 {
		t.Errorf("with another secret: %d", status)
	}
	status, token := w.redeem(back.Get("code"), verifier)
	if status != 201 || !strings.HasPrefix(token, "aipo_") || len(token) != 48 {
		t.Fatalf("redeemed: %d", status)
	}
	if status, again := w.redeem(back.Get("code"), verifier); status != 400 || again != "" {
		t.Errorf("the second time: %d", status)
	}
	list, err := w.id.OwnerTokens(t.Context(), passport.OwnerPays)
	if err != nil || len(list) != 1 || list[0].Label != "command line on ada's laptop" || list[0].ExpiresAt != w.now.Add(identity.LineLife) {
		t.Fatalf("listed %+v %v", list, err)
	}
	w.jar = nil
	if who, err := w.who("POST", "Authorization", "Bearer "+token); err != nil || who != w.store.person.ID {
		t.Errorf("it acts as %q %v", who, err)
	}
	if err := w.id.EndOwnerToken(t.Context(), passport.OwnerPays, list[0].ID(), "owner"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.who("GET", "Authorization", "Bearer "+token); err == nil {
		t.Error("it acts after its end")
	}
	for _, id := range []string{list[0].ID(), "", "xyz", "00"} {
		if w.id.EndOwnerToken(t.Context(), passport.OwnerPays, id, "owner") == nil {
			t.Errorf("%q was ended", id)
		}
	}
}

func TestACommandLineGetsNothing(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	verifier, said := commandLine("0")
	rec := w.answer(said, "deny")
	if rec.Header().Get("Refresh") != "" || !strings.Contains(rec.Body.String(), "was not signed in") {
		t.Errorf("denied: %s", rec.Body)
	}
	_, waiting := commandLine("80")
	if to := w.answer(waiting, "deny").Header().Get("Refresh"); to != "0;url=http://127.0.0.1:80/signed-in?error=access_denied&state=st-1" {
		t.Errorf("denied: %q", to)
	}
	if rec := w.answer(said, "maybe"); rec.Code != 422 {
		t.Errorf("neither: %d", rec.Code)
	}
	// Carried by hand, and too late.
	code := shownCode.FindStringSubmatch(w.answer(said, "approve").Body.String())
	if code == nil {
		t.Fatal("no code is shown")
	}
	w.now = w.now.Add(2 * time.Minute)
	if status, _ := w.redeem(code[1], verifier); status != 401 {
		t.Errorf("too late: %d", status)
	}
	w.now = w.now.Add(-2 * time.Minute)
	for _, bad := range []string{code[1][1:], code[1] + "A", "AA", "!"} {
		if status, _ := w.redeem(bad, verifier); status != 401 {
			t.Errorf("%.9s: %d", bad, status)
		}
	}
	if status, _ := w.redeem(code[1], verifier); status != 201 {
		t.Errorf("in time: %d", status)
	}
	for range 40 {
		w.redeem("AA", verifier)
	}
	if status, _ := w.redeem("AA", verifier); status != 429 {
		t.Errorf("after 40 wrong ones: %d", status)
	}
}

// TestACommandLineNeedsAFreshSignIn, for the page and for the answer.
func TestACommandLineNeedsAFreshSignIn(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	_, said := commandLine("4711")
	csrf := w.csrf(w.send("GET", "/login/cli?"+said.Encode(), nil).Body.String())
	w.now = w.now.Add(5 * time.Minute)
	form := url.Values{"csrf": {csrf}, "decision": {"approve"}}
	for name, v := range said {
		form[name] = v
	}
	for _, rec := range []*httptest.ResponseRecorder{w.send("GET", "/login/cli?"+said.Encode(), nil), w.send("POST", "/login/cli", form)} {
		to, err := url.Parse(rec.Header().Get("Location"))
		if rec.Code != 303 || err != nil || to.Path != "/login" || to.Query().Get("again") != "yes" || to.Query().Get("next") != "/login/cli?"+said.Encode() {
			t.Errorf("stale: %d %s", rec.Code, to)
		}
		if login := w.send("GET", to.String(), nil); login.Code != 200 || !strings.Contains(login.Body.String(), "A command line wants") {
			t.Errorf("the sign-in page: %d", login.Code)
		}
	}
	next := "/login/cli?" + said.Encode()
	door := w.send("GET", "/login?again=yes&next="+url.QueryEscape(next), nil).Body.String()
	if rec := w.send("POST", "/login", url.Values{"csrf": {w.csrf(door)}, "username": {"owner@example.com"}, "password": {password}, "next": {next}}); rec.Code != 303 || rec.Header().Get("Location") != "/login/cli?"+said.Encode() {
		t.Fatalf("signed in again: %d %s", rec.Code, rec.Header().Get("Location"))
	}
	if rec := w.answer(said, "approve"); rec.Header().Get("Refresh") == "" {
		t.Errorf("fresh: %d", rec.Code)
	}
	form.Set("csrf", "x")
	if rec := w.send("POST", "/login/cli", form); rec.Code != 403 {
		t.Errorf("another site's form: %d", rec.Code)
	}
}

func TestACommandLineSaysWhatItIs(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	for name, values := range map[string][]string{
		"challenge": {"", "x", strings.Repeat("A", 42), strings.Repeat("A", 42) + "B", strings.Repeat("A", 44)}, "name": {"", "a\u202eb", strings.Repeat("n", 61)},
		"port": {"", "65536", "-1", "80x", "http"}, "state": {"a b", "<", strings.Repeat("s", 65)},
	} {
		for _, v := range values {
			_, said := commandLine("80")
			said.Set(name, v)
			if rec := w.send("GET", "/login/cli?"+said.Encode(), nil); rec.Code != 422 || !strings.Contains(rec.Body.String(), "ust be") && name != "name" {
				t.Errorf("%s %q: %d", name, v, rec.Code)
			}
		}
		_, said := commandLine("80")
		said.Add(name, said.Get(name))
		if rec := w.send("GET", "/login/cli?"+said.Encode(), nil); rec.Code != 422 {
			t.Errorf("%s twice: %d", name, rec.Code)
		}
	}
}
