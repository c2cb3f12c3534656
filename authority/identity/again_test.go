package identity_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// enters plays a page of the broker on which something was entered that takes a fresh sign-in.
func (w *world) enters(path string, form url.Values) *httptest.ResponseRecorder {
	w.t.Helper()
	h := func(rec http.ResponseWriter, r *http.Request) {
		v, err := w.id.Visitor(r)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := r.ParseForm(); err != nil {
			w.t.Fatal(err)
		}
		w.id.Again(rec, r, v, path)
	}
	return w.play("POST", path, form, h)
}

// back plays that page when the browser comes back to it.
func (w *world) back(path string) (form url.Values, ok bool) {
	w.t.Helper()
	w.play("GET", path, nil, func(rec http.ResponseWriter, r *http.Request) {
		v, _ := w.id.Visitor(r)
		form, ok = w.id.Kept(rec, r, v, path)
	})
	return form, ok
}

// play is send to a handler of the test's own.
func (w *world) play(method, path string, form url.Values, h http.HandlerFunc) *httptest.ResponseRecorder {
	was := w.mux
	defer func() { w.mux = was }()
	w.mux = http.NewServeMux()
	w.mux.HandleFunc(path, h)
	return w.send(method, path, form)
}

func TestWhatWasEnteredIsKeptOverAFreshSignIn(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	w.now = w.now.Add(time.Hour)
	if rec := w.play("GET", "/x", nil, func(_ http.ResponseWriter, r *http.Request) {
		if w.id.Fresh(r) {
			t.Error("an hour is fresh")
		}
	}); rec.Code != 200 {
		t.Fatal(rec.Code)
	}
	entered := url.Values{"budget.0": {"25.00"}, "cap.0": {"0", "2"}, "csrf": {"c"}, "stamp": {"s"}, "decision": {"approve"}, "password": {"p"}, "credential": {"k"}}
	rec := w.enters("/consent/g1", entered)
	to := rec.Header().Get("Location")
	if rec.Code != 303 || to != "/login?again=yes&next=%2Fconsent%2Fg1" {
		t.Fatalf("%d %s", rec.Code, to)
	}
	page := w.send("GET", to, nil).Body.String()
	for _, s := range []string{"Show once more that it is you", "What you entered is kept", `name="again" value="yes"`} {
		if !strings.Contains(page, s) {
			t.Errorf("the page does not say %q", s)
		}
	}
	form := url.Values{"csrf": {w.csrf(page)}, "next": {"/consent/g1"}, "again": {"yes"}, "username": {"owner@example.com"}, "password": {"wrong"}}
	if rec := w.send("POST", "/login", form); rec.Code != 401 || !strings.Contains(rec.Body.String(), "Show once more that it is you") {
		t.Errorf("a wrong password: %d", rec.Code)
	}
	form.Set("password", password)
	if rec := w.send("POST", "/login", form); rec.Code != 303 || rec.Header().Get("Location") != "/consent/g1" {
		t.Fatalf("signed in: %d %s", rec.Code, rec.Header().Get("Location"))
	}
	got, ok := w.back("/consent/g1")
	if d := cmp.Diff(url.Values{"budget.0": {"25.00"}, "cap.0": {"0", "2"}}, got); d != "" || !ok {
		t.Error(d)
	}
	if _, ok := w.back("/consent/g1"); ok {
		t.Error("it is kept twice")
	}
	w.play("GET", "/x", nil, func(_ http.ResponseWriter, r *http.Request) {
		if !w.id.Fresh(r) {
			t.Error("a sign-in of now is not fresh")
		}
		r.Header.Set("Authorization", "Bearer "+ownerToken)
		if w.id.Fresh(r) {
			t.Error("a bearer is a fresh sign-in")
		}
		w.now = w.now.Add(5 * time.Minute)
		r.Header.Del("Authorization")
		if w.id.Fresh(r) {
			t.Error("five minutes are fresh")
		}
	})
}

// TestWhatWasEnteredIsForItsPersonAndPage: nobody else's browser, no other page, not later, not changed.
func TestWhatWasEnteredIsForItsPersonAndPage(t *testing.T) {
	for name, misuse := range map[string]func(w *world) string{
		"nothing":        func(*world) string { return "/consent/g1" },
		"another page":   func(*world) string { return "/consent/g2" },
		"signed out":     func(w *world) string { delete(w.jar, "aipassport"); return "/consent/g1" },
		"another person": func(w *world) string { w.store.become("somebody else"); return "/consent/g1" },
		"too late":       func(w *world) string { w.now = w.now.Add(10 * time.Minute); return "/consent/g1" },
		"changed": func(w *world) string {
			c := *w.jar["aipassport-form"]
			if at := len(c.Value) / 2; c.Value[at] == 'A' {
				c.Value = c.Value[:at] + "B" + c.Value[at+1:]
			} else {
				c.Value = c.Value[:at] + "A" + c.Value[at+1:]
			}
			w.jar["aipassport-form"] = &c
			return "/consent/g1"
		},
		"too long": func(w *world) string {
			c := *w.jar["aipassport-form"]
			c.Value += strings.Repeat("A", 4000)
			w.jar["aipassport-form"] = &c
			return "/consent/g1"
		},
	} {
		w := newWorld(t, "http://localhost:3001")
		w.join()
		w.enters("/consent/g1", url.Values{"budget.0": {"25.00"}})
		if _, ok := w.back(misuse(w)); ok != (name == "nothing") {
			t.Errorf("%s: kept %v", name, ok)
		}
	}
}

// TestTheLargestConsentFormIsKept: eight providers, a hundred models each, all ticked.
func TestTheLargestConsentFormIsKept(t *testing.T) {
	w := newWorld(t, "http://localhost:3001")
	w.join()
	f := url.Values{"life": {"2592000"}, "sure": {"yes"}}
	for d := range 8 {
		n := strconv.Itoa(d)
		f["keep."+n], f["budget."+n], f["calls."+n], f["rate."+n] = []string{"yes"}, []string{"12345678.9" + n}, []string{"98765432100" + n}, []string{"54321" + n}
		for m := range 100 {
			if (m*m+d*m)%3 != 0 { // no pattern that is easy to pack
				f["model."+n] = append(f["model."+n], strconv.Itoa(m))
			}
		}
		f["cap."+n] = []string{"0", "1", "2", "3"}
	}
	w.enters("/consent/g1", f)
	got, ok := w.back("/consent/g1")
	if !ok || !slices.Equal(got["model.7"], f["model.7"]) {
		t.Error("it is not kept")
	}
	w.enters("/consent/g1", url.Values{"text": {strings.Repeat("0123456789abcdefghij-", 3000)}})
	if _, ok := w.back("/consent/g1"); !ok {
		t.Error("what packs well is not kept")
	}
}
