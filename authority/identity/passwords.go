package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// ResetLife is how long a reset link works.
const ResetLife = time.Hour

// passwordView is the page on which a new password is set.
type passwordView struct {
	Action, Token string // Token: of a reset link; empty: the person is signed in
	Username      string
	First         bool // there was none
	Until         time.Time
	Errors        web.FieldErrors
}

// NewReset makes a link by which the owner sets another password, once and within ResetLife. Whoever can call this can write to the database.
// A link that was not used dies. Error: NotFound if nobody owns the broker yet.
func (i *Identity) NewReset(ctx context.Context) (link string, until time.Time, err error) {
	p, err := i.cfg.Store.Owner(ctx)
	if err != nil && problem.KindOf(err) == problem.NotFound {
		return "", time.Time{}, problem.New(problem.NotFound, "nobody owns this broker yet: it prints a setup link when it starts")
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("read who the owner is: %w", err)
	}
	return i.newReset(ctx, p, i.event(passport.ResetMade, "operator", ""))
}

// ResetMember makes a link by which a member sets another password, as NewReset does for the owner. The member's log tells that the owner made
// it. Error: NotFound.
func (i *Identity) ResetMember(ctx context.Context, id passport.PersonID, actor string) (link string, until time.Time, err error) {
	p, err := i.Member(ctx, id)
	if err == nil && !p.May(passport.OwnSignIn) {
		err = problem.New(problem.Conflict, "they are suspended: let them in again first")
	}
	if err != nil {
		return "", time.Time{}, err
	}
	return i.newReset(ctx, p, i.event(passport.ResetMade, actor, "for "+p.Username), i.event(passport.ResetMade, "broker:"+string(p.ID), "the owner of this broker made it"))
}

func (i *Identity) newReset(ctx context.Context, p passport.Person, evs ...passport.Event) (link string, until time.Time, err error) {
	token, err := i.random()
	if err != nil {
		return "", time.Time{}, err
	}
	until = i.now().Add(ResetLife)
	if err := i.cfg.Store.AddReset(ctx, sha256.Sum256([]byte(token)), p.ID, until, evs...); err != nil {
		return "", time.Time{}, fmt.Errorf("store the reset link: %w", err)
	}
	return strings.TrimSuffix(i.cfg.PublicURL, "/") + "/reset?token=" + token, until, nil
}

// person reads one who may sign in. Error: NotFound.
func (i *Identity) person(ctx context.Context, id passport.PersonID) (passport.Person, error) {
	if !printable(string(id)) { // what an authenticator says
		return passport.Person{}, problem.New(problem.NotFound, "there is no such person")
	}
	p, err := i.cfg.Store.Person(ctx, id)
	if err == nil && !p.May(passport.OwnSignIn) {
		err = problem.New(problem.NotFound, "there is no such person")
	}
	return p, err
}

// resetOf finds the person of a reset link. If it is nobody's, it has answered: one page for all causes. With 256 bits, wrong ones need no
// counting.
func (i *Identity) resetOf(w http.ResponseWriter, r *http.Request, token string) (p passport.Person, until time.Time, ok bool) {
	who, until, err := passport.PersonID(""), time.Time{}, error(problem.New(problem.NotFound, "no reset link"))
	if len(token) == tokenLength {
		who, until, err = i.cfg.Store.Reset(r.Context(), sha256.Sum256([]byte(token)))
	}
	if err == nil {
		p, err = i.person(r.Context(), who)
	}
	if err != nil && problem.KindOf(err) != problem.NotFound {
		i.cfg.Pages.Error(w, r, web.Visitor{}, fmt.Errorf("read the reset link: %w", err))
		return p, until, false
	}
	if err != nil || !i.cfg.Now().Before(until) {
		i.noReset(w, r)
		return p, until, false
	}
	return p, until, true
}

func (i *Identity) noReset(w http.ResponseWriter, r *http.Request) {
	i.cfg.Pages.Render(w, r, http.StatusNotFound, "error", web.Page{Title: "Error: no reset link", D: web.Trouble{Stamp: "Closed", Code: "reset",
		Title: "This reset link does nothing", Text: "It has been used, its hour is over, another was made since, or it was never one.",
		Next: "Ask the owner of this broker for another. The owner's own: aipassport owner reset prints one, on the broker's machine.", Link: "/login", LinkText: "Sign in"}})
}

// ResetPage answers GET /reset. Looking at it uses nothing up.
func (i *Identity) ResetPage(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	p, until, ok := i.resetOf(w, r, token)
	if !ok {
		return
	}
	stranger, err := i.door(w, r)
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	i.showPassword(w, r, stranger, passwordView{Action: "/reset", Token: token, Username: p.Username, Until: until})
}

// ResetPassword answers POST /reset: the person of the link gets the new password and is signed in here, and nowhere else any more.
func (i *Identity) ResetPassword(w http.ResponseWriter, r *http.Request) {
	stranger, err := i.door(w, r)
	if err == nil {
		err = i.cfg.Pages.Posted(w, r, stranger)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	token := r.PostForm.Get("token")
	p, until, ok := i.resetOf(w, r, token)
	if !ok {
		return
	}
	d := passwordView{Action: "/reset", Token: token, Username: p.Username, Until: until}
	phc, ok := i.newPassword(w, r, stranger, p, d)
	if !ok {
		return
	}
	err = i.cfg.Store.UseReset(r.Context(), sha256.Sum256([]byte(token)), phc, i.event(passport.PasswordChanged, "owner:"+string(p.ID), "by a reset link"))
	if err != nil && problem.KindOf(err) == problem.NotFound {
		i.noReset(w, r)
		return
	}
	if err == nil {
		err = i.start(w, r, p)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	i.cfg.Pages.Say(w, "password-reset", 0)
	i.cfg.Pages.Redirect(w, r, "/settings")
}

// PasswordPage answers GET /settings/password, for who has just signed in.
func (i *Identity) PasswordPage(w http.ResponseWriter, r *http.Request) {
	v, s, err := i.session(r)
	if err != nil && problem.KindOf(err) != problem.Unauthenticated {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	if err != nil || !i.isFresh(s) {
		i.cfg.Pages.Redirect(w, r, againPath("/settings/password"))
		return
	}
	p, err := i.person(r.Context(), v.ID)
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	i.showPassword(w, r, v, passwordView{Action: "/settings/password", Username: p.Username, First: p.PasswordHash == ""})
}

// ChangePassword answers POST /settings/password: from then on only this browser is signed in.
func (i *Identity) ChangePassword(w http.ResponseWriter, r *http.Request) {
	v, s, ok := i.owns(w, r)
	if !ok {
		return
	}
	if !i.isFresh(s) {
		i.cfg.Pages.Redirect(w, r, againPath("/settings/password"))
		return
	}
	p, err := i.person(r.Context(), v.ID)
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	phc, ok := i.newPassword(w, r, v, p, passwordView{Action: "/settings/password", Username: p.Username, First: p.PasswordHash == ""})
	if !ok {
		return
	}
	if err := i.cfg.Store.SetPassword(r.Context(), v.ID, phc, s.Hash, i.event(passport.PasswordChanged, "owner:"+string(v.ID), "")); err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	i.cfg.Pages.Say(w, "password-changed", 0)
	i.cfg.Pages.Redirect(w, r, "/settings")
}

// newPassword takes a password from a form and hashes it. Not ok: it is not good, and that is said.
func (i *Identity) newPassword(w http.ResponseWriter, r *http.Request, v web.Visitor, p passport.Person, d passwordView) (phc string, ok bool) {
	password := r.PostForm.Get("password")
	if text := checkPassword(password, p.Name, p.Username); text != "" {
		d.Errors = web.FieldErrors{{Field: "p", Text: text}}
		i.showPassword(w, r, v, d)
		return "", false
	}
	phc, err := i.hashPassword(r.Context(), password)
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return "", false
	}
	return phc, true
}

func (i *Identity) showPassword(w http.ResponseWriter, r *http.Request, v web.Visitor, d passwordView) {
	title, status := "A new password", http.StatusOK
	if len(d.Errors) > 0 {
		title, status = "There is a problem: a new password", http.StatusUnprocessableEntity
	}
	i.cfg.Pages.Render(w, r, status, "newpassword", web.Page{Title: title, Visitor: v, D: d})
}
