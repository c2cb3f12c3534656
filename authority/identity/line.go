package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// Bounds of signing in a command line.
const (
	LineLife    = 90 * 24 * time.Hour // of the bearer that it gets
	lineCode    = 2 * time.Minute     // until the code must be back: a person may have to carry it
	linePurpose = "command line"      // what the code is sealed for
	maxLineName = 60                  // characters
	maxLineBody = 4 << 10             // bytes
	maxState    = 64                  // bytes
)

// Sealer seals what a browser carries from us to a command line; internal/seal does.
type Sealer interface {
	Seal(purpose, id string, plain []byte) ([]byte, error)
	// Open fails for what was not sealed with the same purpose and id.
	Open(purpose, id string, sealed []byte) ([]byte, error)
}

// line is a command line that wants to act as the owner. It is no client of OAuth, and what it gets is no grant: an owner's bearer, which
// no app can ask for, because only this page gives it and the page says what it is.
type line struct {
	Challenge string // base64url of the SHA-256 of a secret that only the command line has (as PKCE S256, RFC 7636 §4.2)
	Name      string // of the computer: its own claim
	Port      int    // on its own loopback, where it waits; 0: the person carries the code
	State     string // comes back to it unchanged
}

// lineView is the page.
type lineView struct {
	line
	Compare    string // the same letters as the command line shows
	Until      time.Time
	Code, Goes string // after the answer: what the person carries, or where the browser goes
	Denied     bool
}

// answered is what a code says.
type answered struct {
	Person passport.PersonID
	Label  string
	Until  int64 // seconds since 1970
}

// Compare are letters by which a person sees that the page is about the command line in front of them.
func Compare(challenge string) string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	sum := sha256.Sum256([]byte("aipassport compare\x00" + challenge))
	var out []byte
	for i, b := range sum[:8] {
		if i == 4 {
			out = append(out, '-')
		}
		out = append(out, letters[int(b)%len(letters)])
	}
	return string(out)
}

// readLine takes the parameters of a page or a form; each once.
func readLine(v url.Values) (l line, err error) {
	for _, name := range []string{"challenge", "name", "port", "state"} {
		if len(v[name]) != 1 {
			return line{}, problem.New(problem.Invalid, "must be there once").In(name)
		}
	}
	l = line{Challenge: v.Get("challenge"), Name: clean(v.Get("name")), State: v.Get("state")}
	if b, err := base64.RawURLEncoding.Strict().DecodeString(l.Challenge); err != nil || len(b) != sha256.Size {
		return line{}, problem.New(problem.Invalid, "must be a SHA-256 in base64url").In("challenge")
	}
	if n := utf8.RuneCountInString(l.Name); n == 0 || n > maxLineName || !printable(l.Name) {
		return line{}, problem.New(problem.Invalid, "needs 1 to %d characters, without hidden ones", maxLineName).In("name")
	}
	port, err := strconv.ParseUint(v.Get("port"), 10, 16)
	if err != nil {
		return line{}, problem.New(problem.Invalid, "must be a port, or 0").In("port")
	}
	if len(l.State) > maxState || strings.Trim(l.State, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return line{}, problem.New(problem.Invalid, "must be base64url of at most %d bytes", maxState).In("state")
	}
	l.Port = int(port)
	return l, nil
}

func (l line) query() string {
	return url.Values{"challenge": {l.Challenge}, "name": {l.Name}, "port": {strconv.Itoa(l.Port)}, "state": {l.State}}.Encode()
}

// LinePage answers GET /login/cli: it asks a person who has just signed in whether a command line may act as they.
func (i *Identity) LinePage(w http.ResponseWriter, r *http.Request) {
	l, err := readLine(r.URL.Query())
	if err == nil && i.cfg.Box == nil {
		err = problem.New(problem.NotFound, "no command line can sign in here")
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, web.Visitor{}, err)
		return
	}
	if v, ok := i.fresh(w, r, l); ok {
		i.showLine(w, r, v, lineView{line: l})
	}
}

// fresh is who has signed in a moment ago, or sends the browser to do so.
func (i *Identity) fresh(w http.ResponseWriter, r *http.Request, l line) (web.Visitor, bool) {
	v, s, err := i.session(r)
	if err == nil && i.isFresh(s) {
		return v, true
	}
	if err != nil && problem.KindOf(err) != problem.Unauthenticated {
		i.cfg.Pages.Error(w, r, v, err)
		return v, false
	}
	i.cfg.Pages.Redirect(w, r, againPath("/login/cli?"+l.query()))
	return v, false
}

func (i *Identity) showLine(w http.ResponseWriter, r *http.Request, v web.Visitor, d lineView) {
	d.Compare, d.Until = Compare(d.Challenge), i.now().Add(LineLife)
	if d.Goes != "" {
		// A redirect after a form post is under form-action, and this one leaves us; a refresh is a navigation of its own
		// (WHATWG HTML §7.4.6.2, the Refresh header).
		w.Header().Set("Refresh", "0;url="+d.Goes)
	}
	i.cfg.Pages.Render(w, r, http.StatusOK, "line", web.Page{Title: "Sign in the command line", Visitor: v, D: d})
}

// AnswerLine answers POST /login/cli. Approved, the browser carries a code to where the command line waits: sealed, good for two
// minutes, and worth something only to who has the secret that the challenge was made of.
func (i *Identity) AnswerLine(w http.ResponseWriter, r *http.Request) {
	v, err := i.Visitor(r)
	if err == nil {
		err = i.cfg.Pages.Posted(w, r, v)
	}
	l := line{}
	if err == nil {
		l, err = readLine(r.PostForm)
	}
	if err == nil && i.cfg.Box == nil {
		err = problem.New(problem.NotFound, "no command line can sign in here")
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	if v, ok := i.fresh(w, r, l); ok {
		i.decideLine(w, r, v, l)
	}
}

func (i *Identity) decideLine(w http.ResponseWriter, r *http.Request, v web.Visitor, l line) {
	d, back := lineView{line: l}, url.Values{"state": {l.State}}
	switch r.PostForm.Get("decision") {
	case "approve":
		code, err := i.lineCode(v.ID, l)
		if err != nil {
			i.cfg.Pages.Error(w, r, v, err)
			return
		}
		d.Code = code
		back.Set("code", code)
	case "deny":
		d.Denied = true
		back.Set("error", "access_denied")
	default:
		i.cfg.Pages.Error(w, r, v, problem.New(problem.Invalid, "the form does not say what to do").In("decision"))
		return
	}
	if l.Port != 0 {
		d.Goes = "http://127.0.0.1:" + strconv.Itoa(l.Port) + "/signed-in?" + back.Encode()
	}
	i.showLine(w, r, v, d)
}

// lineCode is bound to the challenge.
func (i *Identity) lineCode(who passport.PersonID, l line) (string, error) {
	plain, err := json.Marshal(answered{Person: who, Label: "command line on " + l.Name, Until: i.now().Add(lineCode).Unix()})
	if err != nil {
		return "", err
	}
	sealed, err := i.cfg.Box.Seal(linePurpose, l.Challenge, plain)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// LineToken answers POST /login/cli/token: code and secret for an owner's bearer. The bearer is made of both, so that the second time
// it is there already and the code is used: at every instance, by the one unique key of the table.
func (i *Identity) LineToken(w http.ResponseWriter, r *http.Request) {
	var in struct{ Code, Verifier string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxLineBody)).Decode(&in)
	if err != nil || in.Code == "" || len(in.Verifier) != tokenLength {
		respond.Error(w, problem.New(problem.Invalid, "code and verifier are expected"))
		return
	}
	a, err := i.openLineCode(in.Code, in.Verifier)
	if err != nil {
		if wait := i.guesses.Allow(flood.Network(i.cfg.ClientAddr(r)).String()); wait > 0 {
			err = problem.New(problem.RateExceeded, "too many wrong codes from this address").After(wait)
		}
		respond.Error(w, err)
		return
	}
	p, err := i.cfg.Store.Person(r.Context(), a.Person)
	if err == nil && !p.May(passport.OwnSignIn) || problem.KindOf(err) == problem.NotFound {
		err = problem.New(problem.Unauthenticated, "the code is wrong, or too late: run aipassport login again")
	}
	if err != nil {
		respond.Error(w, err)
		return
	}
	sum := sha256.Sum256([]byte("aipassport command line\x00" + in.Verifier + "\x00" + in.Code))
	text, ends := ownerTokenStart+base64.RawURLEncoding.EncodeToString(sum[:]), i.now().Add(LineLife)
	t := passport.OwnerToken{Hash: sha256.Sum256([]byte(text)), Person: passport.PersonID(p.Payer().Member()), Label: a.Label, CreatedAt: i.now(), ExpiresAt: ends}
	err = i.cfg.Store.AddOwnerToken(r.Context(), t, i.event(passport.OwnerTokenMade, "owner:"+string(a.Person), a.Label), i.now())
	if err != nil && problem.KindOf(err) == problem.Conflict {
		err = problem.New(problem.Invalid, "the code has been used")
	}
	if err != nil {
		respond.Error(w, err)
		return
	}
	respond.JSON(w, http.StatusCreated, map[string]string{"token": text, "label": a.Label, "expiresAt": ends.Format(time.RFC3339)})
}

// openLineCode tells in the same words whatever is wrong with a code.
func (i *Identity) openLineCode(code, verifier string) (a answered, err error) {
	wrong := problem.New(problem.Unauthenticated, "the code is wrong, or too late: run aipassport login again")
	if i.cfg.Box == nil {
		return a, wrong
	}
	sum := sha256.Sum256([]byte(verifier))
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil {
		return a, wrong
	}
	plain, err := i.cfg.Box.Open(linePurpose, base64.RawURLEncoding.EncodeToString(sum[:]), sealed)
	if err != nil || json.Unmarshal(plain, &a) != nil || i.cfg.Now().Unix() >= a.Until {
		return a, wrong
	}
	return a, nil
}
