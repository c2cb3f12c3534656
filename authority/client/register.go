package client

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// information is what a client that registered itself is told of itself (RFC 7591 §3.2.1, RFC 7592 §3).
type information struct {
	ID            passport.ClientID   `json:"client_id"`
	Secret        string              `json:"client_secret,omitempty"`
	IssuedAt      int64               `json:"client_id_issued_at"`
	SecretEnds    *int64              `json:"client_secret_expires_at,omitempty"` // 0: it does not
	Token         string              `json:"registration_access_token"`
	Address       string              `json:"registration_client_uri"`
	Name          string              `json:"client_name,omitempty"`
	URI           string              `json:"client_uri,omitempty"`
	RedirectURIs  []string            `json:"redirect_uris"`
	Auth          passport.ClientAuth `json:"token_endpoint_auth_method"`
	GrantTypes    []string            `json:"grant_types"`
	ResponseTypes []string            `json:"response_types"`
	JWKS          json.RawMessage     `json:"jwks,omitempty"`
	JWKSURI       string              `json:"jwks_uri,omitempty"`
	DPoP          bool                `json:"dpop_bound_access_tokens"`
}

// grantTypes are those that any client may use. One that has no redirect URI cannot use the first.
var grantTypes = []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"}

func (c *Clients) inform(found passport.Client, secret, token string) information {
	in := information{ID: found.ID, Secret: secret, IssuedAt: found.CreatedAt.Unix(), Token: token, Address: strings.TrimSuffix(c.cfg.Issuer, "/") + registrationRoute + "/" + string(found.ID),
		Name: found.Name, URI: found.URI, RedirectURIs: append([]string{}, found.RedirectURIs...), Auth: found.Auth, GrantTypes: grantTypes, ResponseTypes: []string{"code"},
		JWKSURI: found.JWKSURI, DPoP: found.DPoP}
	if len(found.RedirectURIs) == 0 {
		in.GrantTypes, in.ResponseTypes = grantTypes[1:], []string{}
	}
	if found.JWKS != "" {
		in.JWKS = json.RawMessage(found.JWKS)
	}
	if found.Auth == passport.ClientBasic {
		in.SecretEnds = new(int64)
	}
	return in
}

// Routes are the endpoints for clients, from any origin. Nobody can register anew where that is closed; those that did manage themselves
// on.
func (c *Clients) Routes() map[string]http.HandlerFunc {
	routes := map[string]http.HandlerFunc{
		"GET " + registrationRoute + "/{client}":    c.Read,
		"PUT " + registrationRoute + "/{client}":    c.Replace,
		"DELETE " + registrationRoute + "/{client}": c.Delete,
	}
	if !c.cfg.Closed {
		routes["POST "+registrationRoute] = c.Register
	}
	return routes
}

// Register answers POST /oauth/register (RFC 7591 §3). Whoever registers gets nothing but a name: what it asks for is shown as of an app
// that nobody checked, and a person decides.
func (c *Clients) Register(w http.ResponseWriter, r *http.Request) {
	in, err := c.register(w, r)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusCreated, in)
}

func (c *Clients) register(w http.ResponseWriter, r *http.Request) (information, error) {
	if wait := c.registers.Allow(flood.Network(c.cfg.ClientAddr(r)).String()); wait > 0 {
		return information{}, problem.New(problem.RateExceeded, "too many registrations; try again later").After(wait)
	}
	o, err := readMetadata(w, r)
	if err != nil {
		return information{}, err
	}
	// client_id and secrets are ours to choose (RFC 7591 §2): what the client says of them is left alone.
	found := passport.Client{ID: passport.ClientID(idPrefix + random(idBytes)), Kind: passport.ClientRegistered, CreatedAt: c.cfg.Now().UTC()}
	if found, err = metadata(o, found, passport.ClientBasic); err != nil {
		return information{}, err
	}
	secret := newSecret(&found)
	token := managePrefix + random(secretBytes)
	found.ManageHash = sha256.Sum256([]byte(token))
	if err := checked(found, wantsRedirects(o)); err != nil {
		return information{}, err
	}
	if err := c.cfg.Store.AddClient(r.Context(), found, c.event(passport.ClientAdded, "client:"+string(found.ID), noteOf(found))); err != nil {
		return information{}, err
	}
	return c.inform(found, secret, token), nil
}

// newSecret gives a client that needs a secret a new one, and takes it from one that needs none. It returns it, or "".
func newSecret(found *passport.Client) string {
	found.SecretHash = [32]byte{}
	if found.Auth != passport.ClientBasic {
		return ""
	}
	secret := secretPrefix + random(secretBytes)
	found.SecretHash = sha256.Sum256([]byte(secret))
	return secret
}

func random(n int) string {
	raw := make([]byte, n)
	rand.Read(raw) // never fails, or the process ends (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readMetadata reads a body that is JSON.
func readMetadata(w http.ResponseWriter, r *http.Request) (*fields.Object, error) {
	if !isJSON(r.Header.Get("Content-Type")) || r.Header.Get("Content-Encoding") != "" {
		return nil, wire.Bad(wire.InvalidMetadata, "the body must be application/json, without an encoding")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRegistration))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, wire.Bad(wire.InvalidMetadata, "the body has more than %d bytes", maxRegistration).With(http.StatusRequestEntityTooLarge)
	}
	if err != nil {
		return nil, wire.Bad(wire.InvalidMetadata, "the body could not be read")
	}
	o, err := fields.Read(body, known...)
	if err != nil {
		return nil, badMetadata(err)
	}
	return o, nil
}

// noteOf says of a client what an event may: no words of its own but addresses.
func noteOf(c passport.Client) string {
	note := string(c.ID) + ", " + string(c.Auth)
	if len(c.RedirectURIs) > 0 {
		note += ", " + c.RedirectURIs[0]
	}
	return note[:min(len(note), passport.MaxNote-200)]
}

func (c *Clients) event(kind passport.EventKind, actor, note string) passport.Event {
	return passport.Event{ID: passport.EventID(c.cfg.NewID()), Kind: kind, At: c.cfg.Now().UTC(), Actor: actor, Note: note}
}
