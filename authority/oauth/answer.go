package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// codeLife is how long a code can be used (OAuth 2.1 §4.1.2 has a minute as usual).
const codeLife = 60 * time.Second

// returnPath is where the consent page sends the person after the decision; from there the app's redirect URI follows. The step between
// keeps the app's address and the code out of our pages, and lets a custom scheme follow on a link that the person presses.
const returnPath = "/oauth/return/"

// Mine says whether a grant may be answered in this browser: a request that was opened at the authorization endpoint only in the browser that
// opened it. Error: Forbidden.
func (o *OAuth) Mine(r *http.Request, g passport.Grant) error {
	a, err := o.cfg.Store.Authorization(r.Context(), g.ID)
	if problem.KindOf(err) == problem.NotFound && err != nil {
		return nil // it came by another door
	}
	if err != nil {
		return fmt.Errorf("read an authorization: %w", err)
	}
	return o.openedHere(r, a)
}

func (o *OAuth) openedHere(r *http.Request, a passport.Authorization) error {
	value, _ := o.browser(r)
	got := sha256.Sum256([]byte(value))
	if subtle.ConstantTimeCompare(got[:], a.Browser[:]) != 1 {
		return problem.New(problem.Forbidden, "This request was opened in another browser, and only that one can answer it. If you did not start it, you need not do anything. Else go back to the app and start again there.")
	}
	return nil
}

// Answer says where the person goes once a grant is decided: a path of ours that leads on to the app. link: only on a link that the person
// presses, because browsers do not follow custom schemes by themselves. Not ok: nowhere.
func (o *OAuth) Answer(r *http.Request, g passport.Grant) (next string, link, ok bool) {
	a, err := o.cfg.Store.Authorization(r.Context(), g.ID)
	if err != nil || o.openedHere(r, a) != nil || !o.answerable(a) {
		return "", false, false
	}
	return returnPath + url.PathEscape(string(g.ID)), !strings.HasPrefix(a.RedirectURI, "http"), true
}

// answerable says whether the app can still be told: as long as no code was used, and for a minute after the request's end.
func (o *OAuth) answerable(a passport.Authorization) bool {
	return a.RedeemedAt.IsZero() && o.now().Before(a.ExpiresAt.Add(codeLife))
}

// Return answers GET /oauth/return/{id}: it sends the person's browser back to the app, with a code or with a refusal.
func (o *OAuth) Return(w http.ResponseWriter, r *http.Request) {
	v, a, g, err := o.returning(r)
	if problem.KindOf(err) == problem.Unauthenticated && err != nil {
		o.cfg.Pages.Redirect(w, r, "/login?next="+url.QueryEscape("/consent/"+url.PathEscape(r.PathValue("id"))))
		return
	}
	if err != nil {
		o.cfg.Pages.Error(w, r, v, err)
		return
	}
	switch g.State {
	case passport.GrantPending:
		o.cfg.Pages.Redirect(w, r, "/consent/"+url.PathEscape(string(g.ID)))
	case passport.GrantActive, passport.GrantPaused: // of a request for more: the grant that was raised
		o.giveCode(w, r, v, a)
	default: // an app is told that it got nothing, and not why
		o.redirect(w, a.RedirectURI, a.State, url.Values{"error": {string(wire.AccessDenied)}, "error_description": {"access was not given"}})
	}
}

// returning finds out who returns, from what, in the browser that opened it.
func (o *OAuth) returning(r *http.Request) (web.Visitor, passport.Authorization, passport.Grant, error) {
	v, err := o.cfg.People.Visitor(r)
	if err != nil {
		return v, passport.Authorization{}, passport.Grant{}, err
	}
	id := passport.GrantID(r.PathValue("id"))
	record.From(r.Context()).Grant = id
	gone := problem.New(problem.NotFound, "This request was answered already, or there is none. Go back to the app.")
	a, err := o.cfg.Store.Authorization(r.Context(), id)
	if problem.KindOf(err) == problem.NotFound && err != nil || err == nil && !o.answerable(a) || r.Method != http.MethodGet {
		err = gone
	}
	if err == nil {
		err = o.openedHere(r, a)
	}
	if err != nil {
		return v, a, passport.Grant{}, err
	}
	g, err := o.answered(r.Context(), id)
	if err == nil && !v.Payer().MayAnswer(g) { // another person has answered it in this browser
		err = gone
	}
	return v, a, g, err
}

// giveCode sends a new code to the app. The one before, which can have been lost on its way, is worth nothing from now on.
func (o *OAuth) giveCode(w http.ResponseWriter, r *http.Request, v web.Visitor, a passport.Authorization) {
	code := random()
	ev := o.event(passport.CodeIssued, "owner:"+string(v.ID), a.Grant, "to "+string(a.Client))
	if err := o.cfg.Store.SetCode(r.Context(), a.Grant, sha256.Sum256([]byte(code)), o.now().Add(codeLife), ev); err != nil {
		o.cfg.Pages.Error(w, r, v, fmt.Errorf("keep a code: %w", err))
		return
	}
	o.redirect(w, a.RedirectURI, a.State, url.Values{"code": {code}})
}
