package openrouter

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// Key answers POST /api/v1/auth/keys: a code and its verifier for a key. The body is JSON whatever the content type says: browsers say
// text/plain unless they are told, and OpenRouter's own first example does not tell them.
func (d *Door) Key(w http.ResponseWriter, r *http.Request) {
	key, user, err := d.key(w, r)
	if err != nil {
		fail(w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, map[string]string{"key": key, "user_id": user})
}

// badCode is one wording for all that can be wrong with a code.
func badCode() error { return problem.New(problem.Forbidden, "Invalid code or code_verifier") }

// The order is the security property: a code is used up before a key is made, and only by who can prove that it is his.
func (d *Door) key(w http.ResponseWriter, r *http.Request) (key, user string, err error) {
	// 1. Not too often.
	if wait := d.keys.Allow(flood.Network(d.cfg.ClientAddr(r)).String()); wait > 0 {
		return "", "", problem.New(problem.RateExceeded, "too many codes; try again later").After(wait)
	}
	// 2. The body.
	code, verifier, err := readKey(w, r)
	if err != nil {
		return "", "", err
	}
	// 3. The request that the code is for. The code is 256 random bits, so finding it by its hash tells a guesser nothing.
	hash := sha256.Sum256([]byte(code))
	k, err := d.cfg.Store.KeyRequestOfCode(r.Context(), hash)
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return "", "", err
	}
	if err != nil || !d.cfg.Now().Before(k.CodeEnds) || !proves(verifier, k.Challenge) {
		return "", "", badCode()
	}
	record.From(r.Context()).Grant = k.Grant
	// 4. It can still be given.
	s, err := d.cfg.Control.Standing(r.Context(), k.Grant)
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return "", "", err
	}
	if err != nil || s.Grant.Live(d.cfg.Now()) != nil {
		return "", "", badCode()
	}
	// 5. The code is used up: of many who bring it at once one goes on. If we die after this, the person starts again at the app.
	if err := d.cfg.Store.TakeKeyCode(r.Context(), hash); err != nil {
		if problem.KindOf(err) == problem.Conflict {
			return "", "", badCode()
		}
		return "", "", err
	}
	// 6. The key.
	key, _, err = d.cfg.Keys.NewKey(r.Context(), s.Grant, "for the app, by its sign-in", s.Grant.ExpiresAt, "app:"+string(k.Grant))
	return key, userID(s.Grant, k.Callback), err
}

func readKey(w http.ResponseWriter, r *http.Request) (code, verifier string, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return "", "", problem.New(problem.TooLarge, "the body has more than %d bytes", maxBody)
	}
	if err != nil {
		return "", "", problem.Wrap(err, problem.Invalid, "the body broke off")
	}
	o, err := fields.Read(body, "code", "code_verifier", "code_challenge_method")
	if err != nil {
		return "", "", err
	}
	code, verifier = o.String("code", 1), o.String("code_verifier", 1)
	method, given := o.OptString("code_challenge_method")
	if err := o.Err(); err != nil {
		return "", "", err
	}
	if given && method != "S256" {
		return "", "", problem.New(problem.Invalid, "Invalid code_challenge_method").In("code_challenge_method")
	}
	if len(verifier) > maxVerifier {
		return "", "", problem.New(problem.Invalid, "code_verifier has more than %d bytes", maxVerifier).In("code_verifier")
	}
	return code, verifier, nil
}

// userID is the same for the same person at the same site, and another at another: sites cannot find out by it whom they share.
func userID(g passport.Grant, callback string) string {
	site := ""
	if u, err := url.Parse(callback); err == nil {
		site = strings.ToLower(u.Scheme + "://" + u.Host)
	}
	sum := sha256.Sum256([]byte("aipassport user\x00" + string(g.Owner) + "\x00" + site))
	return "user_" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// fail writes an error in OpenRouter's shape: {"error": {"code": status, "message": text}}
// (openrouter.ai/docs/api-reference/errors).
func fail(w http.ResponseWriter, r *http.Request, err error) {
	record.From(r.Context()).Err = err
	p := problem.From(err)
	text := respond.Text(p)
	if fe, ok := errors.AsType[*fields.Error](err); ok {
		text = fe.Error()
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", respond.Seconds(p.RetryAfter))
	}
	status := respond.Status(p.Kind)
	respond.JSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": text}})
}
