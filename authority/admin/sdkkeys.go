package admin

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// SDKKeys are the keys of apps for the providers' SDKs.
type SDKKeys interface {
	// KeysOf lists the keys of a grant, newest first. Error: NotFound.
	KeysOf(ctx context.Context, g passport.GrantID) ([]passport.SDKKey, error)
	// ForKey reads a grant that a key is to be made of. fresh: the person proved a moment ago who they are. Errors: NotFound; SignInStale if that
	// takes it.
	ForKey(ctx context.Context, id passport.GrantID, fresh bool) (passport.Standing, error)
	// TokensOf lists the access tokens of a grant that have not ended, those that end last first: authority.MostTokens, and one more if there
	// are more. Error: NotFound.
	TokensOf(ctx context.Context, g passport.GrantID) ([]passport.Token, error)
	// RevokeToken ends an access token; it says how many calls it ended. Error: NotFound.
	RevokeToken(ctx context.Context, g passport.GrantID, id passport.TokenID, actor string) (int, error)
	// RevokeKey ends a key; it says how many calls it ended. Error: NotFound.
	RevokeKey(ctx context.Context, g passport.GrantID, id passport.TokenID, actor string) (int, error)
}

// KeyMaker makes them; guard/token does.
type KeyMaker interface {
	// NewKey makes a key that ends with the grant, or sooner (zero: it does not). Errors: Invalid in "name", Conflict if there are too many.
	NewKey(ctx context.Context, g passport.Grant, name string, ends time.Time, actor string) (string, passport.SDKKey, error)
}

// sdkKeysView are the keys on an app's page.
type sdkKeysView struct {
	List  []sdkKeyView
	May   bool   // another can be made
	Made  string // shown once, right after it was made
	Name  string // what stands in the field
	Error string
	Back  bool // what stands in the form was entered before a fresh sign-in
	Lives []life
}

type sdkKeyView struct {
	Name, Start, Path   string
	Made, Ends, LastUse time.Time
	Works               bool
	State               badge
}

// life is a choice of how long a key works.
type life struct {
	Value, Title string
	On           bool
}

// lives are the choices; the first is as long as the app's access.
var lives = []struct {
	value, title string
	span         time.Duration
}{
	{"", "As long as the app's access", 0}, {"1h", "An hour", time.Hour}, {"24h", "A day", 24 * time.Hour},
	{"168h", "A week", 7 * 24 * time.Hour}, {"720h", "30 days", 30 * 24 * time.Hour},
}

// sdkKeys fills in the keys of a grant.
func (a *Admin) sdkKeys(ctx context.Context, v web.Visitor, g passport.Grant, d sdkKeysView, chosen string) (sdkKeysView, error) {
	list, err := a.cfg.Grants(v.Payer()).KeysOf(ctx, g.ID)
	now := a.cfg.Now()
	d.May = g.State == passport.GrantActive
	for _, k := range list {
		row := sdkKeyView{Name: k.Name, Start: k.Start, Path: grantPath(g.ID) + "/keys/" + url.PathEscape(string(k.ID)), Made: k.CreatedAt, Ends: k.ExpiresAt, LastUse: k.UsedAt,
			Works: k.Works(now) && !ended(g.State), State: badge{"ok", "check", "Works"}}
		switch {
		case !k.RevokedAt.IsZero():
			row.State = badge{"", "x", "Revoked"}
		case !row.Works:
			row.State = badge{"", "clock", "Ended"}
		case g.State != passport.GrantActive:
			row.State = badge{"warn", "pause", "Waits"}
		}
		d.List = append(d.List, row)
	}
	for _, l := range lives {
		d.Lives = append(d.Lives, life{l.value, l.title, l.value == chosen})
	}
	return d, err
}

// Keys answers GET /grants/{id}/keys in a browser, which is where the answer to a made key was: they are on the app's page.
func (a *Admin) Keys(w http.ResponseWriter, r *http.Request) {
	if _, ok := a.look(w, r); ok {
		a.cfg.Pages.Redirect(w, r, grantPath(passport.GrantID(r.PathValue("id"))))
	}
}

// MakeKey answers POST /grants/{id}/keys: the app's page, with the key on it. It is in this answer and nowhere else.
func (a *Admin) MakeKey(w http.ResponseWriter, r *http.Request) {
	v, ok := a.act(w, r)
	if !ok {
		return
	}
	id := passport.GrantID(r.PathValue("id"))
	s, err := a.cfg.Grants(v.Payer()).ForKey(r.Context(), id, a.cfg.People.Fresh(r))
	if err != nil && problem.KindOf(err) == problem.SignInStale {
		a.cfg.People.Again(w, r, v, keysOn(id))
		return
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	chosen, ends, known := r.PostForm.Get("life"), time.Time{}, false
	for _, l := range lives {
		if l.value == chosen {
			known = true
			if l.span > 0 {
				ends = a.cfg.Now().Add(l.span)
			}
		}
	}
	if !known {
		a.cfg.Pages.Error(w, r, v, problem.New(problem.Invalid, "the form does not say how long the key works").In("life"))
		return
	}
	in := clip(strings.TrimSpace(r.PostForm.Get("name")), passport.MaxSDKKeyName+1)
	text, _, err := a.cfg.KeyMaker.NewKey(r.Context(), s.Grant, in, ends, actor(v))
	switch p := problem.From(err); {
	case err == nil:
		a.showGrant(w, r, v, sdkKeysView{Made: text}, "")
	case p.Field == "name" && p.Kind == problem.Invalid:
		a.showGrant(w, r, v, sdkKeysView{Name: in, Error: "The name " + p.Detail + "."}, chosen)
	case p.Kind == problem.Conflict:
		a.showGrant(w, r, v, sdkKeysView{Name: in, Error: strings.ToUpper(p.Detail[:1]) + p.Detail[1:] + "."}, chosen)
	default:
		a.cfg.Pages.Error(w, r, v, err)
	}
}

// keysOn is where the keys are on an app's page.
func keysOn(id passport.GrantID) string { return grantPath(id) + "#keys" }

// AskRevokeKey answers GET /grants/{id}/keys/{key}/revoke.
func (a *Admin) AskRevokeKey(w http.ResponseWriter, r *http.Request) {
	a.ask(w, r, func(v web.Visitor, g passport.Grant) (question, error) {
		list, err := a.cfg.Grants(v.Payer()).KeysOf(r.Context(), g.ID)
		if err != nil {
			return question{}, err
		}
		for _, k := range list {
			if string(k.ID) != r.PathValue("key") {
				continue
			}
			return question{Title: "Revoke this key?", Text: "The key " + k.Start + "… stops working at once, and its running calls end within a second. This can't be undone.",
				Hint: "The app's access and its other keys go on.", Yes: "Revoke the key", No: "Keep it", Class: "bad fill",
				Action: grantPath(g.ID) + "/keys/" + url.PathEscape(string(k.ID)) + "/revoke", Back: grantPath(g.ID)}, nil
		}
		return question{}, problem.New(problem.NotFound, "There is no such key.")
	})
}

// RevokeKey answers POST /grants/{id}/keys/{key}/revoke.
func (a *Admin) RevokeKey(w http.ResponseWriter, r *http.Request) {
	a.change(w, r, "sdk-key-revoked", func(v web.Visitor, id passport.GrantID, who string) (int, error) {
		return a.cfg.Grants(v.Payer()).RevokeKey(r.Context(), id, passport.TokenID(r.PathValue("key")), who)
	})
}

// showGrant is the page of an app.
func (a *Admin) showGrant(w http.ResponseWriter, r *http.Request, v web.Visitor, keys sdkKeysView, chosen string) {
	s, err := a.cfg.Grants(v.Payer()).Standing(r.Context(), passport.GrantID(r.PathValue("id")))
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	s.Grant = s.Grant.At(a.cfg.Now())
	if r.Method == http.MethodGet {
		if f, ok := a.cfg.People.Kept(w, r, v, keysOn(s.Grant.ID)); ok {
			keys, chosen = sdkKeysView{Name: clip(f.Get("name"), passport.MaxSDKKeyName), Back: true}, f.Get("life")
		}
	}
	d, err := a.page(r, v, s)
	if err == nil {
		d.Tokens, err = a.tokens(r.Context(), v, s.Grant)
	}
	if err == nil {
		d.Keys, err = a.sdkKeys(r.Context(), v, s.Grant, keys, chosen)
	}
	if err != nil {
		a.cfg.Pages.Error(w, r, v, err)
		return
	}
	if d.Adjust != nil {
		if f, ok := a.cfg.People.Kept(w, r, v, grantPath(s.Grant.ID)); ok {
			d.Adjust.read(f, a.cfg.Now())
			d.Adjust.Back = true
		}
	}
	title, status := d.App.Label, http.StatusOK
	if d.Ended || d.App.Paused {
		title += ", " + strings.ToLower(d.App.State)
	}
	if keys.Error != "" {
		title, status = "There is a problem: "+title, http.StatusUnprocessableEntity
	}
	a.render(w, r, status, "grant", web.Page{Title: title, Nav: "Apps", Visitor: v, Plots: d.Plot != nil, D: d, Live: liveGrant(s.Grant.ID), More: d.more(s)})
}
