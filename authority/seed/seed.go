// Package seed is the REST API that AIPassport began with, kept path by path and word by word: grant requests, grants, tokens,
// inspection. Where it differs on purpose is listed in docs/design/seed-api.md. It decides nothing: it reads what is asked,
// hands it to the control of grants, and shows grants in the seed's shape. It may not touch providers or the gateway.
package seed

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// Tokens issues and identifies access tokens; guard/token does.
type Tokens interface {
	Issue(ctx context.Context, g passport.Grant, actor string) (string, passport.Token, error)
	// NewKey makes an SDK key that ends with the grant, or sooner (zero: it does not).
	NewKey(ctx context.Context, g passport.Grant, name string, ends time.Time, actor string) (string, passport.SDKKey, error)
	Identify(ctx context.Context, access string) (token.Passport, passport.Standing, error)
}

// Owner says which person sends a request, by session or bearer; Unauthenticated if it is nobody.
type Owner interface {
	Who(r *http.Request) (passport.Person, error)
	// Fresh says whether they signed in with this browser a moment ago. A bearer is no sign-in.
	Fresh(r *http.Request) bool
}

// API serves the seed's routes. All fields are required.
type API struct {
	Control    *authority.Control
	Providers  func() []passport.Provider // that can be asked for, the built-in ones first
	Tokens     Tokens
	Owner      Owner
	Flood      *flood.Limit // of grant requests, by client address
	Issues     *flood.Limit // of tokens, by grant: each is a row on disk
	ClientAddr func(*http.Request) netip.Addr
	ConsentURL func(passport.GrantID) string
	Now        func() time.Time
}

const (
	maxBody       = 100 << 10 // bytes, as the seed
	listed        = 10_000    // grants in one list
	defaultExpiry = 3600      // seconds, as the seed
)

// CreateRequest answers POST /grant-requests.
func (a *API) CreateRequest(w http.ResponseWriter, r *http.Request) {
	if wait := a.Flood.Allow(flood.Network(a.ClientAddr(r)).String()); wait > 0 {
		respond.Error(w, problem.New(problem.RateExceeded, "Too many grant requests; try again later").After(wait))
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		fail(w, r, err)
		return
	}
	ask, err := a.parseRequest(r.Context(), body)
	if err != nil {
		fail(w, r, err)
		return
	}
	g, secret, err := a.Control.Ask(r.Context(), ask)
	if ask.Extends != "" {
		err = asField(err)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	record.From(r.Context()).Grant = g.ID
	s := passport.Standing{Grant: g}
	respond.JSON(w, http.StatusCreated, map[string]any{
		"grantRequest": requestView(g), "grant": grantView(s), "grantSecret": secret, "consentUrl": a.ConsentURL(g.ID)})
}

// List answers GET /grants: a bare array, newest first. For the owner.
func (a *API) List(w http.ResponseWriter, r *http.Request) {
	who, err := a.Owner.Who(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	list, err := a.Control.Of(who.Payer()).Standings(r.Context(), time.Time{}, listed)
	if err != nil {
		fail(w, r, err)
		return
	}
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = grantView(s)
	}
	respond.JSON(w, http.StatusOK, out)
}

// Read answers GET /grants/{id}: for the app that holds the grant's secret, and for the owner.
func (a *API) Read(w http.ResponseWriter, r *http.Request) {
	id := passport.GrantID(r.PathValue("id"))
	var s passport.Standing
	var who passport.Person
	var err error
	if secret, ok := strings.CutPrefix(bearer(r), authority.SecretPrefix); ok {
		s, err = a.Control.BySecret(r.Context(), id, authority.SecretPrefix+secret)
	} else if who, err = a.Owner.Who(r); err == nil {
		s, err = a.Control.Of(who.Payer()).Standing(r.Context(), id)
	}
	if err != nil {
		fail(w, r, named(err, problem.NotFound, "Grant not found"))
		return
	}
	respond.JSON(w, http.StatusOK, grantView(s))
}

func bearer(r *http.Request) string {
	scheme, t, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(t)
}

// Approve answers POST /grants/{id}/approve. For the owner.
func (a *API) Approve(w http.ResponseWriter, r *http.Request) {
	a.decide(w, r, func(ctx context.Context, who passport.Person, id passport.GrantID) (passport.Grant, error) {
		if r.ContentLength != 0 && !isJSON(r) { // elsewhere it is {}; here that would give all that was asked
			return passport.Grant{}, problem.New(problem.UnsupportedMedia, "An approval with a body must be application/json")
		}
		body, err := readBody(w, r)
		if err != nil {
			return passport.Grant{}, err
		}
		o, err := fields.Read(body, approvalMembers...)
		if err != nil {
			return passport.Grant{}, err
		}
		s, err := a.Control.Of(who.Payer()).Asked(ctx, id)
		if err != nil {
			return passport.Grant{}, err
		}
		if s.Grant.State != passport.GrantPending { // the seed looks at the state before it looks at the lifetime
			return passport.Grant{}, problem.New(problem.Conflict, "the grant is not pending")
		}
		approval, err := parseApproval(o, s.Grant)
		if err != nil {
			return passport.Grant{}, err
		}
		approval.Owner, approval.Fresh = who.ID, a.Owner.Fresh(r)
		g, err := a.Control.Of(who.Payer()).Approve(ctx, id, approval)
		return g, asField(err)
	})
}

// Deny answers POST /grants/{id}/deny. For the owner.
func (a *API) Deny(w http.ResponseWriter, r *http.Request) {
	a.decide(w, r, func(ctx context.Context, who passport.Person, id passport.GrantID) (passport.Grant, error) {
		return a.Control.Of(who.Payer()).Deny(ctx, id, owner(who))
	})
}

// Revoke answers POST /grants/{id}/revoke, from any state, as often as one likes. For the owner, and for the app that holds the grant's
// secret: whoever needs access no longer can give it back.
func (a *API) Revoke(w http.ResponseWriter, r *http.Request) {
	if secret := bearer(r); strings.HasPrefix(secret, authority.SecretPrefix) {
		a.giveBack(w, r, secret)
		return
	}
	a.decide(w, r, func(ctx context.Context, who passport.Person, id passport.GrantID) (passport.Grant, error) {
		g, _, err := a.Control.Of(who.Payer()).Revoke(ctx, id, owner(who))
		return g, err
	})
}

// Pause answers POST /grants/{id}/pause. For the owner.
func (a *API) Pause(w http.ResponseWriter, r *http.Request) {
	a.decide(w, r, func(ctx context.Context, who passport.Person, id passport.GrantID) (passport.Grant, error) {
		g, _, err := a.Control.Of(who.Payer()).Pause(ctx, id, owner(who))
		return g, err
	})
}

// Resume answers POST /grants/{id}/resume. For the owner.
func (a *API) Resume(w http.ResponseWriter, r *http.Request) {
	a.decide(w, r, func(ctx context.Context, who passport.Person, id passport.GrantID) (passport.Grant, error) {
		return a.Control.Of(who.Payer()).Resume(ctx, id, owner(who))
	})
}

func owner(who passport.Person) string { return "owner:" + string(who.ID) }

// decide is what all decisions of the owner have in common: who, which grant, the seed's errors, the grant as the answer.
func (a *API) decide(w http.ResponseWriter, r *http.Request,
	do func(context.Context, passport.Person, passport.GrantID) (passport.Grant, error)) {
	who, err := a.Owner.Who(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	id := passport.GrantID(r.PathValue("id"))
	record.From(r.Context()).Grant = id
	if _, err := do(r.Context(), who, id); err != nil {
		fail(w, r, a.seedWords(r, who, id, err))
		return
	}
	s, err := a.Control.Of(who.Payer()).Standing(r.Context(), id)
	if err != nil {
		fail(w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, grantView(s))
}

// seedWords says a refused decision in the seed's words and with its statuses.
func (a *API) seedWords(r *http.Request, who passport.Person, id passport.GrantID, err error) error {
	switch problem.KindOf(err) {
	case problem.NotFound:
		return problem.New(problem.NotFound, "Grant %s not found", id)
	case problem.Conflict:
		must := map[string]string{"pause": "approved", "resume": "paused"}[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
		if must == "" {
			must = "pending"
		}
		if s, serr := a.Control.Of(who.Payer()).Standing(r.Context(), id); serr == nil {
			return problem.Wrap(err, problem.Invalid, "Grant is '%s', must be '%s'", s.Grant.State.Wire(), must)
		}
	}
	return err
}

// IssueToken answers POST /tokens. A wrong secret and an unknown grant are told in the same words.
func (a *API) IssueToken(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r)
	if err != nil {
		fail(w, r, err)
		return
	}
	o, err := fields.Read(body, "grantId", "grantSecret")
	if err != nil {
		fail(w, r, err)
		return
	}
	id, secret := passport.GrantID(o.String("grantId", 1)), o.String("grantSecret", 1)
	if err := o.Err(); err != nil {
		fail(w, r, err)
		return
	}
	s, err := a.Control.BySecret(r.Context(), id, secret)
	if err != nil {
		fail(w, r, err)
		return
	}
	record.From(r.Context()).Grant = id
	access, t, err := a.issue(r.Context(), s.Grant)
	if err != nil {
		fail(w, r, err)
		return
	}
	respond.JSON(w, http.StatusCreated, map[string]any{
		"token": access, "grantId": id, "issuedAt": isoTime(t.IssuedAt), "expiresAt": isoTime(t.ExpiresAt)})
}

// issue makes a token, or says why not in the seed's words.
func (a *API) issue(ctx context.Context, g passport.Grant) (string, passport.Token, error) {
	expired := problem.New(problem.Invalid, "Grant has expired")
	switch g.State {
	case passport.GrantActive:
	case passport.GrantExpired:
		return "", passport.Token{}, expired
	default:
		return "", passport.Token{}, problem.New(problem.Invalid, "Grant is '%s', must be 'approved'", g.State.Wire())
	}
	if wait := a.Issues.Allow(string(g.ID)); wait > 0 { // after the state: an app that waits for its approval uses nothing up
		return "", passport.Token{}, problem.New(problem.RateExceeded, "Too many tokens; use the one you have").After(wait)
	}
	access, t, err := a.Tokens.Issue(ctx, g, "app:"+string(g.ID))
	if problem.KindOf(err) != problem.GrantEnded {
		return access, t, err
	}
	// It ended after it was read: by a revoke, or because less than a second was left.
	if s, serr := a.Control.Standing(ctx, g.ID); serr == nil && s.Grant.State == passport.GrantRevoked {
		return "", passport.Token{}, problem.Wrap(err, problem.Invalid, "Grant is 'revoked', must be 'approved'")
	}
	return "", passport.Token{}, expired
}

// Inspect answers GET /tokens/{token}/inspect, always with 200.
func (a *API) Inspect(w http.ResponseWriter, r *http.Request) {
	_, s, err := a.Tokens.Identify(r.Context(), r.PathValue("token"))
	if err != nil {
		p := problem.From(err)
		if s := respond.Status(p.Kind); s >= 500 {
			fail(w, r, err)
			return
		}
		respond.JSON(w, http.StatusOK, map[string]any{"valid": false, "reason": p.Detail})
		return
	}
	respond.JSON(w, http.StatusOK, map[string]any{"valid": true, "grant": inspectView(s)})
}

// readBody reads a small JSON body. A missing one and one of another type are seen as {}, as in the seed; the latter is not read.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if !isJSON(r) {
		return []byte("{}"), nil
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, problem.New(problem.UnsupportedMedia, "an encoded body is not taken: send it plain")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return nil, problem.New(problem.TooLarge, "request entity too large")
	}
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "the body broke off")
	}
	if len(body) == 0 {
		return []byte("{}"), nil
	}
	return body, nil
}

func isJSON(r *http.Request) bool {
	ct, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(ct), "application/json")
}

func fail(w http.ResponseWriter, r *http.Request, err error) {
	record.From(r.Context()).Err = err
	if problem.KindOf(err) == problem.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	respond.Error(w, err)
}

// named replaces the words of a problem of one kind.
func named(err error, k problem.Kind, detail string) error {
	if problem.KindOf(err) == k {
		return problem.Wrap(err, k, "%s", detail)
	}
	return err
}

// asField turns a refused narrowing into the seed's shape: what is wrong inside scope is listed under scope.
func asField(err error) error {
	p, ok := errors.AsType[*problem.Error](err)
	if !ok || p.Kind != problem.Invalid || p.Field == "" {
		return err
	}
	name, text := "scope", p.Field+": "+p.Detail
	if p.Field == "expiresInSeconds" || p.Field == "scope" {
		name, text = p.Field, p.Detail
	}
	fe := &fields.Error{}
	fe.Add(name, text)
	return fe
}
