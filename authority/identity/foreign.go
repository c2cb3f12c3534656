package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Signing in at an OpenID provider. A way there and back belongs to one browser, and is gone once.
const (
	wayLife   = 10 * time.Minute
	wayCookie = "aipassport-oidc"
	toSignIn  = "to sign in at a provider"
	toLink    = "to link a provider"
	maxCode   = 4096 // bytes of what comes back
)

// Issuer is an OpenID provider that the operator has named; authority/oidc is.
type Issuer interface {
	// Issuer names it, Host is what a person knows it by.
	Issuer() string
	Host() string
	// Begin is where a browser goes to sign in there. fresh: they are to show there once more who they are. Error: UpstreamFailed.
	Begin(ctx context.Context, state, nonce, verifier string, fresh bool) (string, error)
	// Finish trades a code for who the provider says they are. Errors: Unauthenticated; UpstreamFailed.
	Finish(ctx context.Context, code, verifier, nonce string) (passport.Identity, error)
}

// way is what we keep of it, sealed, with the browser that it was begun in.
type way struct {
	State, Nonce, Verifier, Next string
	By                           []byte // of who joins: the hash of their invitation
	Again                        bool   // they are to show once more who they are
	Until                        int64  // seconds since 1970
}

// goesView is the page that leads there.
type goesView struct{ Host, To string }

// ForeignHost is the host of the OpenID provider at which people may sign in; empty: there is none.
func (i *Identity) ForeignHost() string {
	if i.cfg.Issuer == nil || i.cfg.Box == nil {
		return ""
	}
	return i.cfg.Issuer.Host()
}

// Identities are those that a person has linked, oldest first.
func (i *Identity) Identities(ctx context.Context, who passport.PersonID) ([]passport.Identity, error) {
	return i.cfg.Store.Identities(ctx, who)
}

func noProvider() error { return problem.New(problem.NotFound, "there is no provider to sign in at") }

// ForeignLogin answers POST /login/oidc: it leads to the provider.
func (i *Identity) ForeignLogin(w http.ResponseWriter, r *http.Request) {
	if i.ForeignHost() == "" {
		i.cfg.Pages.Error(w, r, web.Visitor{}, noProvider())
		return
	}
	stranger, ok := i.posted(w, r)
	if !ok {
		return
	}
	i.leave(w, r, stranger, toSignIn, way{Next: web.LocalPath(r.PostForm.Get("next")), Again: r.PostForm.Get("again") == "yes"})
}

// LinkIdentity answers POST /settings/identities: who has just signed in links who they are at the provider, or ends a link.
func (i *Identity) LinkIdentity(w http.ResponseWriter, r *http.Request) {
	v, s, ok := i.owns(w, r)
	if !ok {
		return
	}
	switch {
	case r.PostForm.Get("do") == "remove":
		i.unlink(w, r, v)
	case r.PostForm.Get("do") != "link":
		i.cfg.Pages.Error(w, r, v, problem.New(problem.Invalid, "the form does not say what to do").In("do"))
	case i.ForeignHost() == "":
		i.cfg.Pages.Error(w, r, v, noProvider())
	case !i.isFresh(s):
		i.cfg.Pages.Redirect(w, r, againPath("/settings"))
	default:
		i.leave(w, r, v, toLink, way{Next: "/settings"})
	}
}

func (i *Identity) unlink(w http.ResponseWriter, r *http.Request, v web.Visitor) {
	hash, err := hex.DecodeString(r.PostForm.Get("id"))
	if err == nil && len(hash) == sha256.Size {
		err = i.cfg.Store.RemoveIdentity(r.Context(), v.ID, [32]byte(hash), i.event(passport.IdentityUnlinked, "owner:"+string(v.ID), ""))
	} else {
		err = problem.New(problem.NotFound, "there is no such link")
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	i.cfg.Pages.Say(w, "identity-unlinked", 0)
	i.cfg.Pages.Redirect(w, r, "/settings")
}

// leave keeps the way back in this browser and shows the page that leads to the provider: a redirect after a form post is under form-action,
// and this one leaves us (as showLine).
func (i *Identity) leave(w http.ResponseWriter, r *http.Request, v web.Visitor, purpose string, way way) {
	err := error(nil)
	for _, out := range []*string{&way.State, &way.Nonce, &way.Verifier} {
		if *out, err = i.random(); err != nil {
			i.cfg.Pages.Error(w, r, v, err)
			return
		}
	}
	way.Until = i.now().Add(wayLife).Unix()
	to, err := i.cfg.Issuer.Begin(r.Context(), way.State, way.Nonce, way.Verifier, way.Again || purpose == toLink)
	var sealed, plain []byte
	if err == nil {
		plain, err = json.Marshal(way)
	}
	if err == nil {
		sealed, err = i.cfg.Box.Seal(purpose, v.Sign("oidc", purpose), plain)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(wayCookie, base64.RawURLEncoding.EncodeToString(sealed), int(wayLife/time.Second)))
	w.Header().Set("Refresh", "0;url="+to)
	i.cfg.Pages.Render(w, r, http.StatusOK, "goes", web.Page{Title: "Sign in at " + i.ForeignHost(), Visitor: v, D: goesView{i.ForeignHost(), to}})
}

// ForeignBack answers GET /login/oidc/callback: somebody comes back from the provider.
func (i *Identity) ForeignBack(w http.ResponseWriter, r *http.Request) {
	if i.ForeignHost() == "" {
		i.cfg.Pages.Error(w, r, web.Visitor{}, noProvider())
		return
	}
	stranger, err := i.door(w, r)
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	// 1. The way: begun by us in this browser, a moment ago, the first time.
	signedIn, session, _ := i.session(r)
	way, purpose, err := i.wayBack(w, r, stranger, signedIn)
	// 2. Who they are: the provider's word, over a code for our verifier and nonce.
	var id passport.Identity
	if err == nil {
		id, err = i.cfg.Issuer.Finish(r.Context(), r.URL.Query().Get("code"), way.Verifier, way.Nonce)
	}
	// 3. Whether that is somebody whom the operator lets in.
	if err == nil && !i.mayCome(id) {
		err = problem.New(problem.Unauthenticated, "this broker does not let in who you are there: the operator's list does not have your address, or the provider has not checked it")
	}
	if err == nil && purpose == toLink {
		i.link(w, r, signedIn, session, id)
		return
	}
	// 4. Who that is here: by issuer and subject. Who joins is to be nobody yet.
	next := way.Next
	if err == nil && purpose == toJoin {
		next, err = i.offer(w, r, stranger, way, id)
	} else if err == nil {
		next, err = i.enter(w, r, stranger, way, id)
	}
	if err != nil && (problem.KindOf(err) != problem.Unauthenticated || purpose == toLink || purpose == toJoin) {
		i.notBack(w, r, map[string]web.Visitor{toLink: signedIn}[purpose], err)
		return
	}
	if err != nil {
		text := problem.From(err).Detail
		i.showLogin(w, r, http.StatusUnauthorized, stranger, loginView{Next: web.LocalPath(way.Next), Again: way.Again, Problem: strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."})
		return
	}
	i.cfg.Pages.Redirect(w, r, next)
}

// notBack says why nothing came of a way there and back. What was not shown well is not said as a sign-in that is missing.
func (i *Identity) notBack(w http.ResponseWriter, r *http.Request, v web.Visitor, err error) {
	if problem.KindOf(err) == problem.Unauthenticated {
		err = problem.Wrap(err, problem.Invalid, "%s", problem.From(err).Detail)
	}
	i.cfg.Pages.Error(w, r, v, err)
}

// wayBack opens the way that a browser comes back on and uses it up. Error: Unauthenticated, in the same words for all that is wrong with it.
func (i *Identity) wayBack(w http.ResponseWriter, r *http.Request, stranger, signedIn web.Visitor) (a way, purpose string, err error) {
	late := problem.New(problem.Unauthenticated, "that took too long, or was used already: try again")
	c, err := r.Cookie(i.cfg.Pages.CookieName(wayCookie))
	if err != nil {
		return a, "", late
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(wayCookie, "", -1))
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(c.Value)
	if err != nil {
		return a, "", late
	}
	purpose = toSignIn
	plain, err := i.cfg.Box.Open(purpose, stranger.Sign("oidc", purpose), sealed)
	if joins, no := i.cfg.Box.Open(toJoin, stranger.Sign("oidc", toJoin), sealed); no == nil {
		purpose, plain, err = toJoin, joins, nil
	}
	if err != nil && signedIn.ID != "" {
		purpose = toLink
		plain, err = i.cfg.Box.Open(purpose, signedIn.Sign("oidc", purpose), sealed)
	}
	q := r.URL.Query()
	if err != nil || json.Unmarshal(plain, &a) != nil || i.cfg.Now().Unix() >= a.Until || len(r.URL.RawQuery) > maxCode || !once(q, "state") ||
		subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.State)) != 1 {
		return way{}, "", late
	}
	fresh, err := i.cfg.Store.Seen(r.Context(), passport.SeenChallenge, sha256.Sum256([]byte("oidc\x00"+a.State)), time.Unix(a.Until, 0).UTC())
	if err != nil {
		return way{}, "", fmt.Errorf("use up the way back: %w", err)
	}
	switch {
	case !fresh:
		return way{}, "", late
	case q.Get("error") != "": // RFC 6749 §4.1.2.1; its texts are the provider's, and not shown
		return a, purpose, problem.New(problem.Unauthenticated, "you were not signed in at %s", i.ForeignHost())
	case q.Has("iss") && q.Get("iss") != i.cfg.Issuer.Issuer(): // RFC 9207 §2.4
		return a, purpose, problem.New(problem.Unauthenticated, "another provider sent you back")
	case !once(q, "code"):
		return a, purpose, late
	}
	return a, purpose, nil
}

func once(q url.Values, name string) bool { return len(q[name]) == 1 && q.Get(name) != "" }

// mayCome says whether the operator's list lets an identity in. Without a list all that are linked may come; with one an address decides, and
// then the provider must say that it is theirs.
func (i *Identity) mayCome(id passport.Identity) bool {
	if len(i.cfg.IssuerAllowed) == 0 {
		return true
	}
	_, domain, ok := strings.Cut(id.Email, "@")
	if !ok || !id.EmailVerified || strings.Contains(domain, "@") {
		return false
	}
	for _, allowed := range i.cfg.IssuerAllowed {
		if strings.EqualFold(allowed, id.Email) || strings.EqualFold(allowed, "@"+domain) {
			return true
		}
	}
	return false
}

// link makes an identity the signed-in person's.
func (i *Identity) link(w http.ResponseWriter, r *http.Request, v web.Visitor, s passport.Session, id passport.Identity) {
	if !i.isFresh(s) {
		i.cfg.Pages.Redirect(w, r, againPath("/settings"))
		return
	}
	id.Person, id.LinkedAt = v.ID, i.now()
	err := i.cfg.Store.AddIdentity(r.Context(), id, i.event(passport.IdentityLinked, "owner:"+string(v.ID), "at "+i.ForeignHost()))
	if err != nil && problem.KindOf(err) == problem.Conflict {
		err = problem.Wrap(err, problem.Invalid, "who you are there is linked already, or you have linked %d", passport.MaxIdentities)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	i.cfg.Pages.Say(w, "identity-linked", 0)
	i.cfg.Pages.Redirect(w, r, "/settings")
}

// enter begins a session for whose identity it is here. It is as fresh as their sign-in there, as far as the provider tells. Who is nobody is
// asked whether they become a member, where the operator lets them. It says where to go on. Error:
// Unauthenticated if it is nobody's, or if a fresh one is asked and this is none.
func (i *Identity) enter(w http.ResponseWriter, r *http.Request, stranger web.Visitor, way way, id passport.Identity) (next string, err error) {
	known, err := i.cfg.Store.Identity(r.Context(), id.Hash())
	if err != nil && problem.KindOf(err) == problem.NotFound && i.cfg.IssuerJoin && !way.Again {
		return i.offer(w, r, stranger, way, id)
	}
	if err != nil && problem.KindOf(err) == problem.NotFound {
		return "", problem.New(problem.Unauthenticated, "nobody here has linked who you are at %s. Sign in another way, then link it under Settings", i.ForeignHost())
	}
	if err != nil {
		return "", fmt.Errorf("read the identity: %w", err)
	}
	p, err := i.person(r.Context(), known.Person)
	if err != nil && problem.KindOf(err) == problem.NotFound {
		return "", problem.New(problem.Unauthenticated, "nobody here is who you are at %s", i.ForeignHost())
	}
	if err != nil {
		return "", err
	}
	proved := i.provedAt(id)
	if way.Again && !proved.After(i.now().Add(-freshFor)) {
		return "", problem.New(problem.Unauthenticated, "%s does not say that you signed in there in the last five minutes. Use a passkey or the password", i.ForeignHost())
	}
	return way.Next, i.startAt(w, r, p, proved)
}

// provedAt is when somebody showed who they are, for a session that begins now: as the provider tells. Not told, or in the future: not lately.
func (i *Identity) provedAt(id passport.Identity) time.Time {
	now := i.now()
	if long := now.Add(-freshFor); id.AuthTime.IsZero() || id.AuthTime.After(now) || !id.AuthTime.After(long) {
		return long
	}
	return id.AuthTime
}
