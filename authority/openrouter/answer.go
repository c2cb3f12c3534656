package openrouter

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// returnPath is where the consent page sends the person after the decision. The step between keeps the code and the app's address out of
// our pages.
const returnPath = "/auth/return/"

// browserCookie names the browser that opened requests: what is opened in one is answered in no other, so that nobody is led to answer what
// somebody else began (RFC 9700 §4.7).
const (
	browserCookie = "aipassport-auth"
	browserLife   = time.Hour
)

// mark makes sure that a browser has a mark, and returns its hash.
func (d *Door) mark(w http.ResponseWriter, r *http.Request) [32]byte {
	value := d.marked(r)
	if value == "" {
		value = random()
	}
	http.SetCookie(w, d.cfg.Pages.Cookie(browserCookie, value, int(browserLife/time.Second)))
	return sha256.Sum256([]byte(value))
}

func (d *Door) marked(r *http.Request) string {
	c, err := r.Cookie(d.cfg.Pages.CookieName(browserCookie))
	if err != nil || len(c.Value) != base64.RawURLEncoding.EncodedLen(32) {
		return ""
	}
	return c.Value
}

// random is 256 bits of text.
func random() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails, or the process ends (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Mine says whether a grant may be answered in this browser. Error: Forbidden. A grant that came by another door is nobody's here.
func (d *Door) Mine(r *http.Request, g passport.Grant) error {
	k, err := d.cfg.Store.KeyRequest(r.Context(), g.ID)
	if err != nil && problem.KindOf(err) == problem.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a request for a key: %w", err)
	}
	return d.openedHere(r, k)
}

func (d *Door) openedHere(r *http.Request, k passport.KeyRequest) error {
	got := sha256.Sum256([]byte(d.marked(r)))
	if subtle.ConstantTimeCompare(got[:], k.Browser[:]) != 1 {
		return problem.New(problem.Forbidden, "this request was opened in another browser")
	}
	return nil
}

// Answer says where the person goes once a grant is decided: a path of ours that leads on to the app, for some minutes and until a key was
// given. ok is false for a grant that did not come by this door, and where there is nothing to tell.
func (d *Door) Answer(r *http.Request, g passport.Grant) (next string, link, ok bool) {
	k, err := d.cfg.Store.KeyRequest(r.Context(), g.ID)
	if err != nil || d.openedHere(r, k) != nil || !d.answerable(k, g) {
		return "", false, false
	}
	return returnPath + url.PathEscape(string(g.ID)), false, true
}

func (d *Door) answerable(k passport.KeyRequest, g passport.Grant) bool {
	if k.Used || d.cfg.Now().Sub(k.CreatedAt) > askLife+answerLife {
		return false
	}
	return g.State == passport.GrantDenied || g.State == passport.GrantActive && d.cfg.Now().Sub(g.ApprovedAt) <= answerLife
}

// Return answers GET /auth/return/{id}: it sends the person back to the app with a code, or with the error that a refusal is. Whoever comes
// again gets a new code in place of the one before.
func (d *Door) Return(w http.ResponseWriter, r *http.Request) {
	next, v, err := d.back(r)
	if err != nil {
		record.From(r.Context()).Err = err
		d.cfg.Pages.Error(w, r, v, err)
		return
	}
	web.Protect(w)
	w.Header().Set("Location", next)
	w.WriteHeader(http.StatusSeeOther)
}

func (d *Door) back(r *http.Request) (string, web.Visitor, error) {
	v, err := d.cfg.People.Visitor(r)
	if err != nil {
		return "", v, err
	}
	id := passport.GrantID(r.PathValue("id"))
	record.From(r.Context()).Grant = id
	k, err := d.cfg.Store.KeyRequest(r.Context(), id)
	if err == nil {
		err = d.openedHere(r, k)
	}
	if err != nil {
		return "", v, err
	}
	s, err := d.cfg.Control.Standing(r.Context(), id)
	if err == nil && !v.Payer().MayAnswer(s.Grant) { // another person has answered it
		err = problem.New(problem.NotFound, "there is no such request")
	}
	if err != nil {
		return "", v, err
	}
	if r.Method != http.MethodGet || !d.answerable(k, s.Grant) { // a HEAD makes no code
		return "", v, problem.New(problem.NotFound, "there is no such request")
	}
	u, err := callback(k.Callback)
	if err != nil {
		return "", v, err
	}
	if s.Grant.State == passport.GrantDenied {
		return with(u, "error", "access_denied"), v, nil
	}
	code := random()
	err = d.cfg.Store.PutKeyCode(r.Context(), id, sha256.Sum256([]byte(code)), d.cfg.Now().Add(codeLife).UTC())
	return with(u, "code", code), v, err
}

// with adds a parameter and leaves the rest of the query as it is.
func with(u *url.URL, name, value string) string {
	out := *u
	if out.RawQuery != "" {
		out.RawQuery += "&"
	}
	out.RawQuery += name + "=" + url.QueryEscape(value)
	return out.String()
}

// proves says whether a verifier is that of a challenge (RFC 7636 §4.6), in constant time.
func proves(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
