package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Becoming a member as who one is at the OpenID provider. Nobody is made one by going there and coming back: a page asks, once.
const (
	toJoin        = "to join by a provider"
	asMember      = "to become a member"
	joiningCookie = "aipassport-joining"
	joiningPath   = "/join/as"
)

// joining is somebody who has just shown at the provider who they are, and is nobody here yet. It is sealed for the browser that they came
// back in, and good for wayLife. It makes one member at most: what it names is linked then.
type joining struct {
	As    passport.Identity
	By    []byte // the hash of their invitation; empty: they came to sign in
	Next  string
	Until int64 // seconds since 1970
}

// joinAsView is the page that asks.
type joinAsView struct {
	Host, Email, Owner string
	Name, Username     string
	Errors             web.FieldErrors
}

// JoinForeign answers POST /join/oidc: it leads who has an invitation to the provider. The invitation goes with the way back, which is this
// browser's alone.
func (i *Identity) JoinForeign(w http.ResponseWriter, r *http.Request) {
	if i.ForeignHost() == "" {
		i.cfg.Pages.Error(w, r, web.Visitor{}, noProvider())
		return
	}
	stranger, ok := i.posted(w, r)
	if !ok {
		return
	}
	v, ok := i.invited(w, r, r.PostForm.Get("token"))
	if !ok {
		return
	}
	i.leave(w, r, stranger, toJoin, way{Next: "/keys", By: v.Hash[:]})
}

// posted takes a form of somebody who is not signed in, and counts it as a try to sign in. What is wrong with it is answered.
func (i *Identity) posted(w http.ResponseWriter, r *http.Request) (stranger web.Visitor, ok bool) {
	stranger, err := i.door(w, r)
	if err == nil {
		err = i.cfg.Pages.Posted(w, r, stranger)
	}
	if err == nil {
		if wait := i.signIns.Allow(flood.Network(i.cfg.ClientAddr(r)).String()); wait > 0 {
			err = problem.New(problem.RateExceeded, "too many tries").After(wait)
		}
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
	}
	return stranger, err == nil
}

// offer keeps who somebody is at the provider in their browser, and says where they are asked whether they become a member. Error:
// Unauthenticated if they are somebody here, or were and have no invitation.
func (i *Identity) offer(w http.ResponseWriter, r *http.Request, stranger web.Visitor, way way, id passport.Identity) (next string, err error) {
	_, err = i.cfg.Store.Identity(r.Context(), id.Hash())
	if err == nil {
		return "", problem.New(problem.Unauthenticated, "who you are at %s is somebody here already: sign in", i.ForeignHost())
	}
	if problem.KindOf(err) != problem.NotFound {
		return "", fmt.Errorf("read the identity: %w", err)
	}
	if gone, err := i.cfg.Store.IdentityGone(r.Context(), id.Hash()); err != nil {
		return "", fmt.Errorf("read whether the identity was linked: %w", err)
	} else if gone && len(way.By) == 0 {
		return "", problem.New(problem.Unauthenticated, "who you are at %s was linked here once and is not any more: ask the owner for an invitation", i.ForeignHost())
	}
	plain, err := json.Marshal(joining{As: id, By: way.By, Next: way.Next, Until: i.now().Add(wayLife).Unix()})
	if err != nil {
		return "", fmt.Errorf("write who joins: %w", err)
	}
	sealed, err := i.cfg.Box.Seal(asMember, stranger.Sign("oidc", asMember), plain)
	if err != nil {
		return "", fmt.Errorf("seal who joins: %w", err)
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(joiningCookie, base64.RawURLEncoding.EncodeToString(sealed), int(wayLife/time.Second)))
	return joiningPath, nil
}

// joiner opens who a browser has shown to be. If it has shown nothing lately, it has answered.
func (i *Identity) joiner(w http.ResponseWriter, r *http.Request, stranger web.Visitor) (j joining, ok bool) {
	c, err := r.Cookie(i.cfg.Pages.CookieName(joiningCookie))
	var sealed, plain []byte
	if err == nil {
		sealed, err = base64.RawURLEncoding.Strict().DecodeString(c.Value)
	}
	if err == nil && i.ForeignHost() != "" {
		plain, err = i.cfg.Box.Open(asMember, stranger.Sign("oidc", asMember), sealed)
	}
	if err == nil {
		err = json.Unmarshal(plain, &j)
	}
	if err != nil || i.cfg.Now().Unix() >= j.Until || j.As.Issuer != i.cfg.Issuer.Issuer() || !i.mayCome(j.As) || len(j.By) == 0 && !i.cfg.IssuerJoin {
		i.cfg.Pages.Render(w, r, http.StatusNotFound, "error", web.Page{Title: "Error: nobody to join as", D: web.Trouble{Stamp: "Closed", Code: "join",
			Title: "Nothing waits for you here", Text: "Showing who you are took too long, was used already, or did not begin in this browser.",
			Next: "Nobody was made a member. Open your invitation again, or sign in.", Link: "/login", LinkText: "Sign in"}})
		return joining{}, false
	}
	return j, true
}

// JoinAsPage answers GET /join/as. Looking at it uses nothing up.
func (i *Identity) JoinAsPage(w http.ResponseWriter, r *http.Request) {
	stranger, err := i.door(w, r)
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	if j, ok := i.joiner(w, r, stranger); ok {
		i.showJoinAs(w, r, stranger, j, joinAsView{Username: clip(clean(j.As.Email), maxUsername)})
	}
}

func (i *Identity) showJoinAs(w http.ResponseWriter, r *http.Request, v web.Visitor, j joining, d joinAsView) {
	owner, err := i.cfg.Store.Owner(r.Context())
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, fmt.Errorf("read who the owner is: %w", err))
		return
	}
	d.Owner, d.Host, d.Email = owner.Name, i.ForeignHost(), j.As.Email
	title, status := "Become a member", http.StatusOK
	if len(d.Errors) > 0 {
		title, status = "There is a problem: become a member", http.StatusUnprocessableEntity
	}
	i.cfg.Pages.Render(w, r, status, "joinas", web.Page{Title: title, Visitor: v, D: d})
}

// JoinAs answers POST /join/as: it makes a member of who a browser has shown to be, and signs them in.
func (i *Identity) JoinAs(w http.ResponseWriter, r *http.Request) {
	stranger, ok := i.posted(w, r)
	if !ok {
		return
	}
	// 1. Who they are there: shown in this browser, a moment ago.
	j, ok := i.joiner(w, r, stranger)
	if !ok {
		return
	}
	// 2. What they are to be called here.
	d := joinAsView{Name: clean(r.PostForm.Get("name")), Username: clean(r.PostForm.Get("username"))}
	d.Errors = checkNames(d.Name, d.Username)
	// 3. In one step the invitation is used up, and they are a member with that identity; or nothing is done.
	var p passport.Person
	var err error
	if len(d.Errors) == 0 {
		p, err = i.addMemberAs(r.Context(), j, d)
	}
	if e := problem.From(err); err != nil && e.Field == "username" {
		d.Errors, err = nameTaken(), nil
	}
	if len(d.Errors) > 0 {
		d.Name, d.Username = clip(d.Name, maxName), clip(d.Username, maxUsername)
		i.showJoinAs(w, r, stranger, j, d)
		return
	}
	if problem.KindOf(err) == problem.NotFound {
		i.noInvitation(w, r)
		return
	}
	// 4. A session, as fresh as their sign-in there.
	if err == nil {
		err = i.startAt(w, r, p, i.provedAt(j.As))
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(joiningCookie, "", -1))
	i.cfg.Pages.Say(w, "joined", 0)
	if j.Next == "/" {
		j.Next = "/keys"
	}
	i.cfg.Pages.Redirect(w, r, j.Next)
}

func (i *Identity) addMemberAs(ctx context.Context, j joining, d joinAsView) (passport.Person, error) {
	p := passport.Person{ID: passport.PersonID(i.cfg.NewID()), Name: d.Name, Username: d.Username, CreatedAt: i.now(), Role: passport.RoleMember}
	as, note := j.As, "by signing in at "+i.ForeignHost()
	as.LinkedAt = p.CreatedAt
	var by *[32]byte
	if len(j.By) > 0 {
		if len(j.By) != 32 {
			return p, problem.New(problem.NotFound, "there is no such invitation")
		}
		by = (*[32]byte)(j.By)
		v, err := i.cfg.Store.Invitation(ctx, *by)
		if err != nil {
			return p, err
		}
		note = "invited as " + v.Label + ", " + note
	}
	return p, i.cfg.Store.AddMember(ctx, p, by, &as, i.event(passport.PersonJoined, "owner:"+string(p.ID), note))
}
