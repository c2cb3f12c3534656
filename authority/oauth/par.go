package oauth

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// A pushed request (RFC 9126): its name begins so (§2.2), and it is opened within so long.
const (
	requestURN = "urn:ietf:params:oauth:request_uri:"
	pushedLife = 60 * time.Second
)

// Push answers POST /oauth/par: a client leaves its authorization request here and gets a name for it, which works once. Everything is
// checked now, so that a wrong request is told to the app's maker and not to the person.
func (o *OAuth) Push(w http.ResponseWriter, r *http.Request) {
	uri, err := o.push(w, r)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusCreated, struct {
		URI       string `json:"request_uri"`
		ExpiresIn int64  `json:"expires_in"`
	}{uri, int64(pushedLife / time.Second)})
}

func (o *OAuth) push(w http.ResponseWriter, r *http.Request) (string, error) {
	if err := slow(o.pushes, o.address(r)); err != nil {
		return "", err
	}
	f, err := wire.ReadForm(w, r)
	if err != nil {
		return "", err
	}
	c, err := o.cfg.Clients.Authenticate(r, f)
	if err != nil {
		return "", err
	}
	jkt, err := o.prove(r)
	if err != nil {
		return "", err
	}
	if _, err := whereTo(c, f); err != nil {
		return "", err
	}
	if _, err := o.check(r.Context(), c, f, jkt); err != nil {
		return "", err
	}
	name, now := random(), o.now()
	p := passport.Pushed{Hash: sha256.Sum256([]byte(name)), Client: c.ID, Parameters: parameters(f), JKT: jkt, CreatedAt: now, ExpiresAt: now.Add(pushedLife)}
	if err := o.cfg.Store.AddPushed(r.Context(), p); err != nil {
		return "", fmt.Errorf("keep a pushed request: %w", err)
	}
	return requestURN + name, nil
}

// pulled is the request that was pushed under a name. It can be opened once, by its client's name.
func (o *OAuth) pulled(r *http.Request, f wire.Form, client passport.ClientID) (wire.Form, string, error) {
	name, ok := strings.CutPrefix(f.Get("request_uri"), requestURN)
	if !ok || len(name) != secretLength {
		return wire.Form{}, "", wire.Bad(wire.InvalidRequestURI, "request_uri: is none of this server's")
	}
	p, err := o.cfg.Store.TakePushed(r.Context(), sha256.Sum256([]byte(name)), client, o.now())
	if err != nil && problem.KindOf(err) == problem.NotFound {
		return wire.Form{}, "", wire.Bad(wire.InvalidRequestURI, "request_uri: was used already, is too old, or is another client's")
	}
	if err != nil {
		return wire.Form{}, "", fmt.Errorf("take a pushed request: %w", err)
	}
	values, err := url.ParseQuery(p.Parameters)
	if err != nil {
		return wire.Form{}, "", fmt.Errorf("read a pushed request: %w", err)
	}
	return wire.FormOf(values), p.JKT, nil
}
