package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// MaxForm bounds a form post, in bytes.
const MaxForm = 64 << 10

// Visitor is who is signed in with this browser. The zero Visitor is nobody, whose forms are never accepted.
type Visitor struct {
	ID   passport.PersonID
	Name string
	Role passport.Role
	sign func(purpose, text string) string
}

// Payer is whose money a visitor gives, and whose pages they see.
func (v Visitor) Payer() passport.Payer { return passport.PayerOf(v.ID, v.Role) }

// NewVisitor makes a visitor whose signatures come from a secret that only this browser's session has. The secret does not
// print with the visitor.
func NewVisitor(id passport.PersonID, name string, role passport.Role, session []byte) Visitor {
	return Visitor{ID: id, Name: name, Role: role, sign: func(purpose, text string) string {
		m := hmac.New(sha256.New, session)
		m.Write([]byte("aipassport page\x00" + purpose + "\x00" + text))
		return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}}
}

// Sign is a MAC of text for one purpose, bound to the session. Nobody has none.
func (v Visitor) Sign(purpose, text string) string {
	if v.sign == nil {
		return ""
	}
	return v.sign(purpose, text)
}

// Signed says whether a MAC is v's own, in constant time.
func (v Visitor) Signed(purpose, text, mac string) bool {
	return v.sign != nil && hmac.Equal([]byte(mac), []byte(v.sign(purpose, text)))
}

// CSRF is the token that every form of v carries.
func (v Visitor) CSRF() string { return v.Sign("csrf", "") }

// Posted reads a form post and refuses it unless it came from a page of ours, rendered for v: the browser says that it is
// same-origin, and the form carries v's token. The checks stand side by side, because browsers that send neither Origin nor
// Sec-Fetch-Site pass the first. Errors: TooLarge, UnsupportedMedia, Invalid, Forbidden.
func (p *Pages) Posted(w http.ResponseWriter, r *http.Request, v Visitor) error {
	if err := p.protect.Check(r); err != nil {
		return problem.Wrap(err, problem.Forbidden, "this did not come from a page of this broker")
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return problem.New(problem.UnsupportedMedia, "a form is expected")
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxForm)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return problem.Wrap(err, problem.TooLarge, "a form has at most %d bytes", MaxForm)
		}
		return problem.Wrap(err, problem.Invalid, "the form cannot be read")
	}
	if !v.Signed("csrf", "", r.PostForm.Get("csrf")) {
		return problem.New(problem.Forbidden, "the page was out of date")
	}
	return nil
}

// SameOrigin says whether the browser itself vouches that a request came from a page of ours. Silence is not enough: it is
// for callers that carry no form token.
func (p *Pages) SameOrigin(r *http.Request) bool {
	if p.protect.Check(r) != nil {
		return false
	}
	return r.Header.Get("Sec-Fetch-Site") == "same-origin" || r.Header.Get("Origin") != ""
}

// FieldError is what is wrong with one field; Field is the id of its input.
type FieldError struct{ Field, Text string }

// FieldErrors are all that is wrong with a form.
type FieldErrors []FieldError

// At is the message at a field; empty if it is good.
func (e FieldErrors) At(field string) string {
	for _, f := range e {
		if f.Field == field {
			return f.Text
		}
	}
	return ""
}

// Cookie makes a cookie of ours. On https it is bound to this host and to https by its name (RFC 6265bis §4.1.3.2, __Host-); on
// plain http, which is loopback only, it cannot be.
func (p *Pages) Cookie(name, value string, seconds int) *http.Cookie {
	return &http.Cookie{Name: p.CookieName(name), Value: value, Path: "/", MaxAge: seconds, HttpOnly: true,
		Secure: p.Secure(), SameSite: http.SameSiteLaxMode}
}

// CookieName is how a cookie of ours is spelled here.
func (p *Pages) CookieName(name string) string {
	if p.Secure() {
		return "__Host-" + name
	}
	return name
}

const saidCookie = "aipassport-said"

// Say keeps what was just done for the next page, a minute at most: a word from a closed set, and a number.
func (p *Pages) Say(w http.ResponseWriter, word string, n int) {
	http.SetCookie(w, p.Cookie(saidCookie, word+"."+strconv.Itoa(n), 60))
}

// Said returns what was kept, once.
func (p *Pages) Said(w http.ResponseWriter, r *http.Request) (word string, n int) {
	c, err := r.Cookie(p.CookieName(saidCookie))
	if err != nil {
		return "", 0
	}
	http.SetCookie(w, p.Cookie(saidCookie, "", -1))
	word, num, ok := strings.Cut(c.Value, ".")
	n, err = strconv.Atoi(num)
	if !ok || err != nil || n < 0 || n > 1_000_000 {
		return "", 0
	}
	return word, n
}

// ReadDollars reads "5", "5.5" or "5.50" as cents.
func ReadDollars(s string) (int64, bool) {
	whole, frac, dot := strings.Cut(s, ".")
	if len(frac) > 2 || (dot && frac == "") {
		return 0, false
	}
	d, ok := ReadWhole(whole)
	if !ok || d > passport.MaxCents/100 {
		return 0, false
	}
	c, ok := ReadWhole((frac + "00")[:2])
	return d*100 + c, ok
}

// ReadWhole reads plain digits only: no sign, no exponent.
func ReadWhole(s string) (int64, bool) {
	if s == "" || len(s) > 15 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
