package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// joinView is the page of an invitation.
type joinView struct {
	Token, Name, Username string
	Owner                 string
	Provider              string // the host of one to join with; empty: there is none
	Until                 time.Time
	Errors                web.FieldErrors
}

// Invite makes a link by which one person joins as a member, once and for InvitationLife. It is returned this once. Errors: Invalid in
// label; Conflict if there are as many as there may be.
func (i *Identity) Invite(ctx context.Context, label, actor string) (link string, err error) {
	if label = clean(label); label == "" || len([]rune(label)) > passport.MaxInviteLabel || !printable(label) {
		return "", problem.New(problem.Invalid, "needs 1 to %d characters, without hidden ones", passport.MaxInviteLabel).In("label")
	}
	token, err := i.random()
	if err != nil {
		return "", err
	}
	now := i.now()
	v := passport.Invitation{Hash: sha256.Sum256([]byte(token)), Label: label, CreatedAt: now, ExpiresAt: now.Add(passport.InvitationLife)}
	if err := i.cfg.Store.AddInvitation(ctx, v, i.event(passport.PersonInvited, actor, label)); err != nil {
		return "", err
	}
	return strings.TrimSuffix(i.cfg.PublicURL, "/") + "/join?token=" + token, nil
}

// Invitations are those that can still be used, newest first; never their links.
func (i *Identity) Invitations(ctx context.Context) (out []passport.Invitation, err error) {
	all, err := i.cfg.Store.Invitations(ctx)
	for _, v := range all {
		if i.cfg.Now().Before(v.ExpiresAt) {
			out = append(out, v)
		}
	}
	return out, err
}

// EndInvitation ends one by its id. Error: NotFound.
func (i *Identity) EndInvitation(ctx context.Context, id, actor string) error {
	hash, err := hex.DecodeString(id)
	if err != nil || len(hash) != sha256.Size {
		return problem.New(problem.NotFound, "there is no such invitation")
	}
	return i.cfg.Store.EndInvitation(ctx, [32]byte(hash), i.event(passport.InvitationEnded, actor, ""))
}

// People are all, the owner first.
func (i *Identity) People(ctx context.Context) ([]passport.Person, error) {
	return i.cfg.Store.People(ctx)
}

// Member reads a member. Error: NotFound, for the owner too.
func (i *Identity) Member(ctx context.Context, id passport.PersonID) (passport.Person, error) {
	p, err := i.cfg.Store.Person(ctx, id)
	if err == nil && p.Role != passport.RoleMember {
		err = problem.New(problem.NotFound, "there is no such member")
	}
	return p, err
}

// Suspend keeps a member out: their sessions and bearers end, and nothing can be given in their name. Restore lets them in again. Error: NotFound.
func (i *Identity) Suspend(ctx context.Context, id passport.PersonID, actor string) error {
	return i.cfg.Store.SuspendPerson(ctx, id, i.now(), i.event(passport.PersonSuspended, actor, string(id)))
}

// Restore lets a suspended member in again. Error: NotFound.
func (i *Identity) Restore(ctx context.Context, id passport.PersonID, actor string) error {
	return i.cfg.Store.SuspendPerson(ctx, id, time.Time{}, i.event(passport.PersonRestored, actor, string(id)))
}

// Forget removes a member who is suspended. Errors: NotFound, Conflict.
func (i *Identity) Forget(ctx context.Context, id passport.PersonID, actor string) error {
	return i.cfg.Store.RemovePerson(ctx, id, i.event(passport.PersonRemoved, actor, string(id)))
}

// JoinPage answers GET /join. Without the right token it does nothing; looking at it uses nothing up.
func (i *Identity) JoinPage(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	v, ok := i.invited(w, r, token)
	if !ok {
		return
	}
	stranger, err := i.door(w, r)
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	i.showJoin(w, r, http.StatusOK, stranger, joinView{Token: token, Until: v.ExpiresAt})
}

func (i *Identity) showJoin(w http.ResponseWriter, r *http.Request, status int, v web.Visitor, d joinView) {
	owner, err := i.cfg.Store.Owner(r.Context())
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, fmt.Errorf("read who the owner is: %w", err))
		return
	}
	d.Owner, d.Provider = owner.Name, i.ForeignHost()
	title := "Join"
	if len(d.Errors) > 0 {
		title = "There is a problem: join"
	}
	i.cfg.Pages.Render(w, r, status, "join", web.Page{Title: title, Visitor: v, D: d})
}

// Join answers POST /join: it makes a member, signs them in, and the link is dead.
func (i *Identity) Join(w http.ResponseWriter, r *http.Request) {
	stranger, ok := i.posted(w, r)
	if !ok {
		return
	}
	d := joinView{Token: r.PostForm.Get("token"), Name: clean(r.PostForm.Get("name")), Username: clean(r.PostForm.Get("username"))}
	v, ok := i.invited(w, r, d.Token)
	if !ok {
		return
	}
	d.Until = v.ExpiresAt
	password := r.PostForm.Get("password")
	d.Errors = checkPerson(d.Name, d.Username, password)
	var p passport.Person
	var err error
	if len(d.Errors) == 0 {
		p, err = i.joins(r.Context(), d, password, v)
	}
	if e := problem.From(err); err != nil && e.Field == "username" {
		d.Errors, err = nameTaken(), nil
	}
	if len(d.Errors) > 0 {
		d.Name, d.Username = clip(d.Name, maxName), clip(d.Username, maxUsername)
		i.showJoin(w, r, http.StatusUnprocessableEntity, stranger, d)
		return
	}
	if err == nil {
		err = i.start(w, r, p)
	}
	if problem.KindOf(err) == problem.NotFound {
		i.noInvitation(w, r)
		return
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	i.cfg.Pages.Say(w, "joined", 0)
	i.cfg.Pages.Redirect(w, r, "/keys")
}

func nameTaken() web.FieldErrors {
	return web.FieldErrors{{Field: "e", Text: "Somebody signs in with this name already. Choose another."}}
}

// joins makes a member by an invitation, which is used up.
func (i *Identity) joins(ctx context.Context, d joinView, password string, by passport.Invitation) (passport.Person, error) {
	hash, err := i.hashPassword(ctx, password)
	if err != nil {
		return passport.Person{}, err
	}
	p := passport.Person{ID: passport.PersonID(i.cfg.NewID()), Name: d.Name, Username: d.Username, PasswordHash: hash, CreatedAt: i.now(), Role: passport.RoleMember}
	return p, i.cfg.Store.AddMember(ctx, p, &by.Hash, nil, i.event(passport.PersonJoined, "owner:"+string(p.ID), "invited as "+by.Label))
}

// invited reads the invitation of a link. If it does not work, it has answered. With 256 bits, wrong ones need no counting.
func (i *Identity) invited(w http.ResponseWriter, r *http.Request, token string) (v passport.Invitation, ok bool) {
	if len(token) != tokenLength {
		i.noInvitation(w, r)
		return v, false
	}
	v, err := i.cfg.Store.Invitation(r.Context(), sha256.Sum256([]byte(token)))
	if err != nil && problem.KindOf(err) != problem.NotFound {
		i.cfg.Pages.Error(w, r, web.Visitor{}, fmt.Errorf("read the invitation: %w", err))
		return v, false
	}
	if err != nil || !i.cfg.Now().Before(v.ExpiresAt) {
		i.noInvitation(w, r)
		return v, false
	}
	return v, true
}

// noInvitation is one page for all causes: wrong, used, ended, or too late.
func (i *Identity) noInvitation(w http.ResponseWriter, r *http.Request) {
	i.cfg.Pages.Render(w, r, http.StatusNotFound, "error", web.Page{Title: "Error: no invitation", D: web.Trouble{Stamp: "Closed", Code: "join",
		Title: "This invitation does nothing", Text: "It has been used, it was taken back, its day is over, or it was never one.",
		Next: "Ask who sent it for another.", Link: "/login", LinkText: "Sign in"}})
}
