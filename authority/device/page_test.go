package device_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

const unknown = "No device is waiting with this code."

func (d *desk) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

func (d *desk) typed(code string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", public+"/device", strings.NewReader(url.Values{"csrf": {d.who.CSRF()}, "user_code": {code}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", public)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, r)
	return w
}

func TestTheCodeLeadsToTheRequest(t *testing.T) {
	d := newDesk(t)
	user := d.ask("app-1", "").text("user_code")
	where := "/consent/" + string(d.grant(user))
	plain := strings.ReplaceAll(user, "-", "")
	for _, typed := range []string{user, plain, strings.ToLower(user), " " + plain[:4] + " " + plain[4:] + "\t", plain[:2] + "-" + plain[2:] + "–", "\u200b" + user} {
		if w := d.typed(typed); w.Code != 303 || w.Header().Get("Location") != where {
			t.Errorf("%q: got %d %s, want %s", typed, w.Code, w.Header().Get("Location"), where)
		}
	}
	// A code in the link is filled in and not yet sent (RFC 8628 §3.3.1).
	w := d.get("/device?user_code=" + user)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `value="`+user+`"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := d.get(`/device?user_code=%22%3E%3Cb%3E`); strings.Contains(w.Body.String(), "<b>") || !strings.Contains(w.Body.String(), `value=""`) {
		t.Errorf("what is no code was taken from the link: %s", w.Body)
	}
	d.who = web.Visitor{}
	if w := d.get("/device?user_code=" + user); w.Code != 303 || w.Header().Get("Location") != "/login?next="+url.QueryEscape("/device?user_code="+user) {
		t.Errorf("a stranger got %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := d.typed(user); w.Code != 401 {
		t.Errorf("a stranger's code got %d", w.Code)
	}
}

// TestOneWordingForAllCodesThatLeadNowhere: unknown, malformed, expired, answered, used, old.
func TestOneWordingForAllCodesThatLeadNowhere(t *testing.T) {
	d := newDesk(t)
	denied, used, expired := d.ask("app-1", ""), d.ask("app-1", ""), d.ask("app-1", "")
	if _, err := d.ctl.Deny(t.Context(), d.grant(denied.text("user_code")), "owner:person"); err != nil {
		t.Fatal(err)
	}
	d.approve(used.text("user_code"))
	d.poll("app-1", used.text("device_code"), "")
	page := func(code string) string {
		w := d.typed(code)
		if w.Code != 422 {
			t.Errorf("%s: got %d", code, w.Code)
		}
		return strings.ReplaceAll(w.Body.String(), `value="`+code+`"`, "")
	}
	want := page("BCDF-GHJK")
	if !strings.Contains(want, unknown) {
		t.Fatalf("got %s", want)
	}
	for _, code := range []string{"x", "12345678", "AEIO-UAEI", denied.text("user_code"), used.text("user_code")} {
		if got := page(code); got != want {
			t.Errorf("%s: got another page:\n%s\nwant\n%s", code, got, want)
		}
	}
	d.wait(passport.DeviceCodeLife)
	if page(expired.text("user_code")) != want {
		t.Error("an expired code got another page")
	}
}

// TestTriesAreFew: in a session, from an address and in all (RFC 8628 §5.1); a right code tells as little then as a wrong one.
func TestTriesAreFew(t *testing.T) {
	d := newDesk(t)
	user := d.ask("app-1", "").text("user_code")
	tries := func(n int) (looked int) {
		for range n {
			if d.typed("BCDF-GHJK").Code == 422 {
				looked++
			}
		}
		return looked
	}
	if n := tries(15); n != 10 {
		t.Errorf("a session had %d tries in a minute, want 10", n)
	}
	w := d.typed(user)
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "consent") {
		t.Errorf("the right code past the limit: got %d %s", w.Code, w.Body)
	}
	d.who = web.NewVisitor("person", "Ada", passport.RoleOwner, []byte("session two"))
	if n := tries(15); n != 10 {
		t.Errorf("an address had %d tries more with another session, want 10", n)
	}
	d.who = web.NewVisitor("person", "Ada", passport.RoleOwner, []byte("session three"))
	if n := tries(5); n != 0 {
		t.Errorf("an address had %d tries more with a third session", n)
	}
	all := 20
	for i := range 10 {
		d.from, d.who = "198.51.100."+string(rune('0'+i)), web.NewVisitor("person", "Ada", passport.RoleOwner, []byte{byte(i)})
		all += tries(10)
	}
	if all != 60 {
		t.Errorf("all together had %d tries, want 60", all)
	}
	d.wait(time.Minute)
	if w := d.typed(user); w.Code != 303 {
		t.Errorf("a minute later the right code got %d", w.Code)
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	d := newDesk(t)
	user := d.ask("app-1", "").text("user_code")
	r := httptest.NewRequest("POST", public+"/device", strings.NewReader(url.Values{"user_code": {user}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	if d.mux.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("without the session's token: got %d", w.Code)
	}
}
