package oauth

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// askLife is how long a request can be answered.
const askLife = 10 * time.Minute

// browserCookie names the browser that opened requests, signed in or not: what is opened in one browser is answered in no other, so that
// nobody is led to answer a request that somebody else began (RFC 9700 §4.7).
const (
	browserCookie = "aipassport-browser"
	browserLife   = time.Hour
)

// Authorize answers GET /oauth/authorize (RFC 6749 §4.1.1, RFC 9126 §4). The order is: the client, where the answer goes, and only then what
// is asked. What is wrong before it is known where the answer goes is told on a page of our own; afterwards the app is told.
func (o *OAuth) Authorize(w http.ResponseWriter, r *http.Request) {
	f, t, jkt, err := o.open(r)
	if err != nil {
		o.page(w, r, err)
		return
	}
	a, err := o.check(r.Context(), t.client, f, jkt)
	if err != nil {
		o.sendBack(w, r, t, err)
		return
	}
	id, err := o.ask(w, r, t, a)
	if err != nil {
		o.sendBack(w, r, t, err)
		return
	}
	o.cfg.Pages.Redirect(w, r, "/consent/"+url.PathEscape(string(id)))
}

// open finds out who asks and where the answer goes. A request that a page loads unseen, in a frame or as a picture, is refused: it would
// only leave requests behind that nobody began.
func (o *OAuth) open(r *http.Request) (wire.Form, target, string, error) {
	if dest := r.Header.Get("Sec-Fetch-Dest"); r.Method != http.MethodGet || dest != "" && dest != "document" {
		return wire.Form{}, target{}, "", wire.Bad(wire.InvalidRequest, "open this address in a window of a browser")
	}
	if err := slow(o.asks, o.address(r)); err != nil {
		return wire.Form{}, target{}, "", err
	}
	f, err := wire.Query(r)
	if err != nil {
		return wire.Form{}, target{}, "", err
	}
	id, err := f.Need("client_id", maxClientID)
	if err != nil {
		return wire.Form{}, target{}, "", err
	}
	c, err := o.cfg.Clients.Client(r.Context(), passport.ClientID(id))
	if err != nil && problem.KindOf(err) == problem.NotFound {
		return wire.Form{}, target{}, "", wire.Bad(wire.InvalidRequest, "client_id: there is no such client")
	}
	if err != nil {
		return wire.Form{}, target{}, "", err
	}
	jkt := ""
	if f.Has("request_uri") { // all else in the address is left alone (RFC 9126 §4, RFC 9101 §5)
		if f, jkt, err = o.pulled(r, f, c.ID); err != nil {
			return wire.Form{}, target{}, "", err
		}
	}
	t, err := whereTo(c, f)
	return f, t, jkt, err
}

// ask makes the pending grant, and remembers how it is to be answered.
func (o *OAuth) ask(w http.ResponseWriter, r *http.Request, t target, a asked) (passport.GrantID, error) {
	site, checked := t.client.Site(t.redirect)
	g, _, err := o.cfg.Control.Ask(r.Context(), authority.Request{AppName: t.client.Name, AppURL: t.client.URI, Reason: a.reason, Details: a.details,
		Client: t.client.ID, Site: site, Checked: checked, JKT: a.jkt, Extends: a.extends, For: askLife})
	if err != nil {
		return "", a.refused(err)
	}
	record.From(r.Context()).Grant = g.ID
	// If we die here a request is left that nobody can complete. It ends by itself.
	err = o.cfg.Store.AddAuthorization(r.Context(), passport.Authorization{Grant: g.ID, Client: t.client.ID, RedirectURI: t.redirect, RedirectSent: t.sent,
		State: t.state, Challenge: a.challenge, JKT: a.jkt, Browser: o.mark(w, r), CreatedAt: g.CreatedAt, ExpiresAt: g.ExpiresAt})
	if err != nil {
		return "", fmt.Errorf("keep an authorization: %w", err)
	}
	return g.ID, nil
}

// mark is the hash of the cookie that names this browser; it gets one if it has none, and keeps the one it has for a while longer.
func (o *OAuth) mark(w http.ResponseWriter, r *http.Request) [32]byte {
	value, ok := o.browser(r)
	if !ok {
		value = random()
	}
	http.SetCookie(w, o.cfg.Pages.Cookie(browserCookie, value, int(browserLife/time.Second)))
	return sha256.Sum256([]byte(value))
}

func (o *OAuth) browser(r *http.Request) (string, bool) {
	c, err := r.Cookie(o.cfg.Pages.CookieName(browserCookie))
	if err != nil || len(c.Value) != secretLength {
		return "", false
	}
	return c.Value, true
}

// page tells the person that a request cannot be opened. Nothing is sent to where it came from: nobody knows who that is.
func (o *OAuth) page(w http.ResponseWriter, r *http.Request, err error) {
	v, _ := o.cfg.People.Visitor(r)
	e := wire.From(err)
	p := problem.Wrap(err, problem.Invalid, "The app sent you here with a request that cannot be opened (%s: %s). Nothing was given. Go back to the app and start again there.",
		e.Code, wire.Plain(e.Description))
	switch e.Code {
	case wire.ServerError:
		o.cfg.Pages.Error(w, r, v, err)
		return
	case wire.TemporarilyUnavailable:
		p = problem.Wrap(err, problem.KindOf(err), "%s", e.Description).After(e.RetryAfter)
	}
	o.cfg.Pages.Error(w, r, v, p)
}

// sendBack tells the app what is wrong with its request (RFC 6749 §4.1.2.1).
func (o *OAuth) sendBack(w http.ResponseWriter, r *http.Request, t target, err error) {
	record.From(r.Context()).Err = err
	e := wire.From(err)
	o.redirect(w, t.redirect, t.state, url.Values{"error": {string(e.Code)}, "error_description": {wire.Plain(e.Description)}})
}

// redirect sends the browser to an app's registered redirect URI, always with state as it came and with iss (RFC 9207).
func (o *OAuth) redirect(w http.ResponseWriter, uri, state string, v url.Values) {
	if state != "" {
		v.Set("state", state)
	}
	v.Set("iss", o.cfg.Issuer)
	sep := "?"
	if strings.Contains(uri, "?") {
		sep = "&"
	}
	web.Protect(w) // no referrer: the address of the answer has the code
	w.Header().Set("Location", uri+sep+v.Encode())
	w.WriteHeader(http.StatusSeeOther)
}
