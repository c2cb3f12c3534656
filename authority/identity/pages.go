package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
	"golang.org/x/text/unicode/norm"
)

// loginView is what the sign-in page shows.
type loginView struct {
	Next, Username, Problem string
	Waiting                 bool   // a request waits for an answer
	Again                   bool   // who is signed in shows once more who they are
	Line                    bool   // a command line waits
	Kept                    bool   // what they entered waits
	Passkeys                bool   // there are some
	Provider                string // the host of one to sign in at; empty: there is none
	ByPassword              bool   // it was tried
}

// setupView is what the setup page shows.
type setupView struct {
	Token, Name, Username string
	Until                 time.Time
	Errors                web.FieldErrors
}

// LoginPage answers GET /login. Who is signed in is sent on, unless they are to show once more who they are.
func (i *Identity) LoginPage(w http.ResponseWriter, r *http.Request) {
	next := web.LocalPath(r.URL.Query().Get("next"))
	if _, err := i.Visitor(r); err == nil && r.URL.Query().Get("again") != "yes" {
		i.cfg.Pages.Redirect(w, r, next)
		return
	}
	stranger, err := i.door(w, r)
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	i.showLogin(w, r, http.StatusOK, stranger, loginView{Next: next, Again: r.URL.Query().Get("again") == "yes"})
}

func (i *Identity) showLogin(w http.ResponseWriter, r *http.Request, status int, v web.Visitor, d loginView) {
	if i.canPasskey() == nil {
		var err error
		if d.Passkeys, err = i.cfg.Store.HasPasskeys(r.Context()); err != nil {
			i.cfg.Pages.Error(w, r, v, fmt.Errorf("read whether there are passkeys: %w", err))
			return
		}
	}
	_, err := r.Cookie(i.cfg.Pages.CookieName(keptCookie))
	d.Provider = i.ForeignHost()
	d.Kept, d.Line = err == nil, strings.HasPrefix(d.Next, "/login/cli?")
	d.Waiting = strings.HasPrefix(d.Next, "/consent/") && !d.Again
	title := "Sign in"
	if d.Problem != "" {
		title = "Error: sign in"
	}
	i.cfg.Pages.Render(w, r, status, "login", web.Page{Title: title, Visitor: v, D: d})
}

// Login answers POST /login. It takes the same time and says the same whether the name or the password is wrong.
func (i *Identity) Login(w http.ResponseWriter, r *http.Request) {
	d := loginView{ByPassword: true}
	i.letIn(w, r, &d, func(web.Visitor) (passport.Person, error) {
		d.Username = clip(r.PostForm.Get("username"), maxUsername)
		p, ok, err := i.signIn(r.Context(), r.PostForm.Get("username"), r.PostForm.Get("password"))
		if err == nil && !ok {
			d.Problem = "That name and password do not fit together."
		}
		return p, err
	})
}

// letIn takes a form of the sign-in page, counts the try, and begins a session for who proves to be somebody. A problem in d means that
// nobody did.
func (i *Identity) letIn(w http.ResponseWriter, r *http.Request, d *loginView, prove func(web.Visitor) (passport.Person, error)) {
	stranger, err := i.door(w, r)
	if err == nil {
		err = i.cfg.Pages.Posted(w, r, stranger)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	d.Next, d.Again = web.LocalPath(r.PostForm.Get("next")), r.PostForm.Get("again") == "yes"
	if wait := i.signIns.Allow(flood.Network(i.cfg.ClientAddr(r)).String()); wait > 0 {
		i.cfg.Pages.Error(w, r, web.Visitor{}, problem.New(problem.RateExceeded, "too many tries").After(wait))
		return
	}
	p, err := prove(stranger)
	if d.Problem != "" {
		i.showLogin(w, r, http.StatusUnauthorized, stranger, *d)
		return
	}
	if err == nil {
		err = i.start(w, r, p)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	i.cfg.Pages.Redirect(w, r, d.Next)
}

// signIn checks a name and a password, in the same time whether there is somebody of that name or not.
func (i *Identity) signIn(ctx context.Context, username, password string) (p passport.Person, ok bool, err error) {
	if name := clean(username); utf8.RuneCountInString(name) <= maxUsername && printable(name) {
		p, err = i.cfg.Store.PersonNamed(ctx, name)
	}
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return passport.Person{}, false, fmt.Errorf("read who signs in: %w", err)
	}
	if utf8.RuneCountInString(password) > MaxPassword {
		password = ""
	}
	right, err := i.rightPassword(ctx, p.PasswordHash, password)
	if err != nil {
		return passport.Person{}, false, err
	}
	return p, right && p.ID != "" && p.May(passport.OwnSignIn), nil
}

// start begins a session of a person who has just proved who they are.
func (i *Identity) start(w http.ResponseWriter, r *http.Request, p passport.Person) error {
	return i.startAt(w, r, p, i.now())
}

// startAt begins a session in this browser, of a person who proved at a time who they are; one that it had ends.
func (i *Identity) startAt(w http.ResponseWriter, r *http.Request, p passport.Person, proved time.Time) error {
	if err := i.end(r, p.ID); err != nil {
		return err
	}
	value, err := i.random()
	if err != nil {
		return err
	}
	now := i.now()
	s := passport.Session{Hash: sha256.Sum256([]byte(value)), Person: p.ID, CreatedAt: proved, ExpiresAt: now.Add(SessionLife),
		Agent: agent(r), Address: i.cfg.ClientAddr(r).String(), SeenAt: now}
	note := "from " + i.cfg.ClientAddr(r).String()
	if err := i.cfg.Store.AddSession(r.Context(), s, i.event(passport.SessionStarted, "owner:"+string(p.ID), note)); err != nil {
		return fmt.Errorf("store the session: %w", err)
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(sessionCookie, value, int(SessionLife/time.Second)))
	http.SetCookie(w, i.cfg.Pages.Cookie(doorCookie, "", -1))
	return nil
}

// agent is what a browser calls itself, printable and short.
func agent(r *http.Request) string {
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, r.UserAgent())
	return text[:min(len(text), passport.MaxAgent)]
}

// end ends the session of this browser, if it has one.
func (i *Identity) end(r *http.Request, p passport.PersonID) error {
	c, err := r.Cookie(i.cfg.Pages.CookieName(sessionCookie))
	if err != nil || len(c.Value) != tokenLength {
		return nil
	}
	if err := i.cfg.Store.EndSession(r.Context(), sha256.Sum256([]byte(c.Value)), i.event(passport.SessionEnded, "owner:"+string(p), "")); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	return nil
}

// Logout answers POST /logout.
func (i *Identity) Logout(w http.ResponseWriter, r *http.Request) {
	v, err := i.Visitor(r)
	if problem.KindOf(err) == problem.Unauthenticated && err != nil {
		i.cfg.Pages.Redirect(w, r, "/login")
		return
	}
	if err == nil {
		err = i.cfg.Pages.Posted(w, r, v)
	}
	if err == nil {
		err = i.end(r, v.ID)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(sessionCookie, "", -1))
	i.cfg.Pages.Redirect(w, r, "/login")
}

// door gives a browser without a session a secret of its own, so that its sign-in form cannot be posted by another site
// (login CSRF). The visitor has no name.
func (i *Identity) door(w http.ResponseWriter, r *http.Request) (web.Visitor, error) {
	if c, err := r.Cookie(i.cfg.Pages.CookieName(doorCookie)); err == nil && len(c.Value) == tokenLength {
		return web.NewVisitor("", "", "", []byte(c.Value)), nil
	}
	value, err := i.random()
	if err != nil {
		return web.Visitor{}, err
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(doorCookie, value, int(SetupLife/time.Second)))
	return web.NewVisitor("", "", "", []byte(value)), nil
}

// SetupPage answers GET /setup. Without the right token it does nothing; looking at it uses nothing up.
func (i *Identity) SetupPage(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	until, ok := i.setupOpen(w, r, token)
	if !ok {
		return
	}
	stranger, err := i.door(w, r)
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	i.showSetup(w, r, http.StatusOK, stranger, setupView{Token: token, Until: until})
}

func (i *Identity) showSetup(w http.ResponseWriter, r *http.Request, status int, v web.Visitor, d setupView) {
	title := "Set up"
	if len(d.Errors) > 0 {
		title = "There is a problem: set up"
	}
	i.cfg.Pages.Render(w, r, status, "setup", web.Page{Title: title, Visitor: v, D: d})
}

// SetUp answers POST /setup: it makes the owner, signs them in, and the link is dead.
func (i *Identity) SetUp(w http.ResponseWriter, r *http.Request) {
	stranger, err := i.door(w, r)
	if err == nil {
		err = i.cfg.Pages.Posted(w, r, stranger)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	d := setupView{Token: r.PostForm.Get("token"), Name: clean(r.PostForm.Get("name")), Username: clean(r.PostForm.Get("username"))}
	var ok bool
	if d.Until, ok = i.setupOpen(w, r, d.Token); !ok {
		return
	}
	password := r.PostForm.Get("password")
	if d.Errors = checkPerson(d.Name, d.Username, password); len(d.Errors) > 0 {
		d.Name, d.Username = clip(d.Name, maxName), clip(d.Username, maxUsername)
		i.showSetup(w, r, http.StatusUnprocessableEntity, stranger, d)
		return
	}
	p, err := i.join(r.Context(), d.Name, d.Username, password)
	if problem.KindOf(err) == problem.Conflict {
		i.noSetup(w, r)
		return
	}
	if err == nil {
		err = i.start(w, r, p)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	i.cfg.Pages.Say(w, "welcome", 0)
	if i.canPasskey() != nil {
		i.cfg.Pages.Redirect(w, r, "/keys")
		return
	}
	i.cfg.Pages.Redirect(w, r, "/setup/passkey")
}

// PasskeyStep answers GET /setup/passkey: the step of setup that may be left out.
func (i *Identity) PasskeyStep(w http.ResponseWriter, r *http.Request) {
	v, err := i.Visitor(r)
	if err == nil {
		err = i.canPasskey()
	}
	if err != nil && problem.KindOf(err) == problem.Unauthenticated {
		i.cfg.Pages.Redirect(w, r, "/login?next=/setup/passkey")
		return
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	i.cfg.Pages.Render(w, r, http.StatusOK, "passkeystep", web.Page{Title: "A passkey", Visitor: v})
}

// join adds the owner and closes the setup link.
func (i *Identity) join(ctx context.Context, name, username, password string) (passport.Person, error) {
	hash, err := i.hashPassword(ctx, password)
	if err != nil {
		return passport.Person{}, err
	}
	p := passport.Person{ID: passport.PersonID(i.cfg.NewID()), Name: name, Username: username, PasswordHash: hash, CreatedAt: i.now(), Role: passport.RoleOwner}
	err = i.cfg.Store.AddFirstPerson(ctx, p, i.event(passport.PersonJoined, "owner:"+string(p.ID), "by the setup link"))
	if err == nil || problem.KindOf(err) == problem.Conflict {
		i.mu.Lock()
		i.setup = ""
		i.mu.Unlock()
	}
	if err != nil {
		return passport.Person{}, fmt.Errorf("add the owner: %w", err)
	}
	return p, nil
}

// setupOpen says until when a token of a setup link works. If it does not, it has answered. With 256 bits, wrong ones need no
// counting.
func (i *Identity) setupOpen(w http.ResponseWriter, r *http.Request, token string) (time.Time, bool) {
	if len(token) != tokenLength {
		i.noSetup(w, r)
		return time.Time{}, false
	}
	until, err := i.cfg.Store.Setup(r.Context(), sha256.Sum256([]byte(token)))
	if err != nil && problem.KindOf(err) != problem.NotFound {
		i.cfg.Pages.Error(w, r, web.Visitor{}, fmt.Errorf("read the setup link: %w", err))
		return time.Time{}, false
	}
	if err != nil || !i.cfg.Now().Before(until) {
		i.noSetup(w, r)
		return time.Time{}, false
	}
	return until, true
}

// noSetup is one page for all causes: wrong, used, too late, or there is an owner already.
func (i *Identity) noSetup(w http.ResponseWriter, r *http.Request) {
	i.cfg.Pages.Render(w, r, http.StatusNotFound, "error", web.Page{Title: "Error: no setup link", D: web.Trouble{Stamp: "Closed", Code: "setup",
		Title: "This setup link does nothing", Text: "It has been used, its day is over, or it was never one.",
		Next: "If nobody owns this broker yet, start it again on its machine: it prints a new link.", Link: "/login", LinkText: "Sign in"}})
}

const (
	maxName     = 60  // characters
	maxUsername = 100 // characters
)

func checkPerson(name, username, password string) web.FieldErrors {
	e := checkNames(name, username)
	if text := checkPassword(password, name, username); text != "" {
		e = append(e, web.FieldError{Field: "p", Text: text})
	}
	return e
}

func checkNames(name, username string) web.FieldErrors {
	var e web.FieldErrors
	if n := utf8.RuneCountInString(name); n == 0 || n > maxName || !printable(name) {
		e = append(e, web.FieldError{Field: "n", Text: fmt.Sprintf("Your name needs 1 to %d characters, without hidden ones.", maxName)})
	}
	if n := utf8.RuneCountInString(username); n == 0 || n > maxUsername || !printable(username) {
		e = append(e, web.FieldError{Field: "e", Text: fmt.Sprintf("The sign-in name needs 1 to %d characters, without hidden ones.", maxUsername)})
	}
	return e
}

// clean makes the same name the same bytes, without spaces around it.
func clean(s string) string { return strings.TrimSpace(norm.NFC.String(strings.ToValidUTF8(s, ""))) }

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// clip cuts to n characters what is shown again in a form.
func clip(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}
