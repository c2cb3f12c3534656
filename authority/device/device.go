package device

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority"
	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
)

// GrantType is the grant_type by which a device asks whether it was answered (RFC 8628 §3.4).
const GrantType = "urn:ietf:params:oauth:grant-type:device_code"

// Bounds.
const (
	asksAMinute = 30          // requests of one address
	tripleTries = 4           // a user code that is taken is drawn again so often: with 1,000 of 25,600 million taken it never is
	answerGrace = time.Minute // an approval in the last second is still fetched
	maxCode     = 100         // bytes of a device code that is looked at
)

// Clients knows the apps; authority/client does.
type Clients interface {
	// Authenticate says which client sends a request. Error: invalid_client.
	Authenticate(r *http.Request, f wire.Form) (passport.Client, error)
}

// Proofs checks proofs of a key (RFC 9449); guard/token does.
type Proofs interface {
	// Prove returns the thumbprint of the key that a request proves, or "" if it has no DPoP header.
	Prove(r *http.Request) (jkt string, err error)
}

// Control asks for grants and reads them; authority.Control does.
type Control interface {
	// Ask stores a pending grant.
	Ask(ctx context.Context, r authority.Request) (passport.Grant, string, error)
	// Standing reads a grant as it stands now. Error: NotFound.
	Standing(ctx context.Context, id passport.GrantID) (passport.Standing, error)
}

// People says who is signed in with a browser. Error: Unauthenticated if nobody is.
type People interface {
	Visitor(r *http.Request) (web.Visitor, error)
}

// Config is what the device flow needs. All but Proofs are required.
type Config struct {
	Clients Clients
	Proofs  Proofs // nil: a request with a DPoP header is refused
	Control Control
	Codes   Codes
	Shown   Shown
	Pages   *web.Pages
	People  People
	// Give makes the tokens of a grant that was approved for a client.
	Give       func(ctx context.Context, g passport.Grant, c wire.Call) (wire.Answer, error)
	Providers  func() []passport.Provider // that can be asked for
	PublicURL  string
	Resources  []string // paths below it that a token is for (RFC 8707), the empty one among them
	ClientAddr func(*http.Request) netip.Addr
	Now        func() time.Time
}

// Device serves the endpoint and the page. Use New.
type Device struct {
	cfg      Config
	asks     *flood.Limit
	session  *flood.Limit // tries at user codes, by session
	address  *flood.Limit // the same, by address and of all
	verified string       // verification_uri
}

// New checks that nothing is missing.
func New(cfg Config) (*Device, error) {
	if cfg.Clients == nil || cfg.Control == nil || cfg.Codes == nil || cfg.Shown == nil || cfg.Pages == nil || cfg.People == nil || cfg.Give == nil ||
		cfg.Providers == nil || cfg.PublicURL == "" || cfg.ClientAddr == nil || cfg.Now == nil {
		return nil, errors.New("a part of what the device flow needs is missing")
	}
	u, err := url.Parse(cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	return &Device{cfg: cfg, verified: u.JoinPath("device").String(),
		asks:    &flood.Limit{PerMinute: asksAMinute, Now: cfg.Now},
		session: &flood.Limit{PerMinute: sessionTries, Now: cfg.Now},
		address: &flood.Limit{PerMinute: addressTries, Overall: allTries, Now: cfg.Now}}, nil
}

// waiting is the answer to a device that asks (RFC 8628 §3.2).
type waiting struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	URI        string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int64  `json:"expires_in"` // seconds
	Interval   int64  `json:"interval"`   // seconds
}

// Authorize answers POST /oauth/device_authorization (RFC 8628 §3.1).
func (d *Device) Authorize(w http.ResponseWriter, r *http.Request) {
	a, err := d.authorize(w, r)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	wire.JSON(w, http.StatusOK, a)
}

func (d *Device) authorize(w http.ResponseWriter, r *http.Request) (waiting, error) {
	// 1. Not too often: each is a row, and a request that a person may see.
	if wait := d.asks.Allow(flood.Network(d.cfg.ClientAddr(r)).String()); wait > 0 {
		return waiting{}, problem.New(problem.RateExceeded, "too many requests; try again later").After(wait)
	}
	// 2. Who asks, for what, with which key.
	f, err := wire.ReadForm(w, r)
	if err != nil {
		return waiting{}, err
	}
	c, err := d.cfg.Clients.Authenticate(r, f)
	if err != nil {
		return waiting{}, err
	}
	jkt, err := d.prove(r, c)
	if err != nil {
		return waiting{}, err
	}
	if f.Has("grant_id") { // a device cannot show that the person who types its code is the one who gave the grant
		return waiting{}, wire.Bad(wire.InvalidRequest, "grant_id: a device cannot ask for more of a grant; ask for a new one, or at the authorization endpoint")
	}
	text, err := f.Need(wire.DetailsParameter, wire.MaxValue)
	if err != nil {
		return waiting{}, err
	}
	details, err := wire.Details(text, d.cfg.Providers())
	if err != nil {
		return waiting{}, err
	}
	if err := d.resources(f); err != nil {
		return waiting{}, err
	}
	// 3. The grant. No site is known of a device, and so none is checked: whoever shows the code may be anybody.
	g, _, err := d.cfg.Control.Ask(r.Context(), authority.Request{AppName: c.Name, AppURL: c.URI, Details: details,
		Client: c.ID, JKT: jkt, For: passport.DeviceCodeLife})
	if err != nil {
		return waiting{}, err
	}
	record.From(r.Context()).Grant = g.ID
	// 4. The codes. If we die before, nobody can use the request, and it lapses.
	return d.codes(r, c, g, jkt)
}

func (d *Device) prove(r *http.Request, c passport.Client) (string, error) {
	if len(r.Header.Values("DPoP")) == 0 {
		return "", nil
	}
	if d.cfg.Proofs == nil {
		return "", wire.Bad(wire.InvalidDPoP, "this server takes no DPoP proofs")
	}
	return d.cfg.Proofs.Prove(r)
}

// resources must be ours, each (RFC 8707 §2).
func (d *Device) resources(f wire.Form) error {
	for _, r := range f.All("resource") {
		path, ours := strings.CutPrefix(r, strings.TrimSuffix(d.cfg.PublicURL, "/"))
		if !ours || !slices.Contains(d.cfg.Resources, strings.TrimSuffix(path, "/")) {
			return wire.Bad(wire.InvalidTarget, "resource: is not one of this server's")
		}
	}
	return nil
}

func (d *Device) codes(r *http.Request, c passport.Client, g passport.Grant, jkt string) (waiting, error) {
	var raw [32]byte
	rand.Read(raw[:]) // never fails, or the process ends (crypto/rand)
	code := base64.RawURLEncoding.EncodeToString(raw[:])
	now := d.cfg.Now().UTC()
	dc := passport.DeviceCode{Hash: sha256.Sum256([]byte(code)), Client: c.ID, Grant: g.ID, JKT: jkt, From: d.cfg.ClientAddr(r).Unmap().String(),
		CreatedAt: now, ExpiresAt: now.Add(passport.DeviceCodeLife), Wait: passport.DeviceWait}
	for try := 1; ; try++ {
		dc.UserCode = NewUserCode()
		err := d.cfg.Codes.AddDeviceCode(r.Context(), dc)
		if problem.KindOf(err) == problem.Conflict && err != nil && try < tripleTries {
			continue
		}
		if err != nil {
			return waiting{}, err
		}
		shown := spell(dc.UserCode)
		return waiting{DeviceCode: code, UserCode: shown, URI: d.verified, Complete: d.verified + "?user_code=" + shown,
			ExpiresIn: wire.Seconds(now, dc.ExpiresAt), Interval: int64(dc.Wait / time.Second)}, nil
	}
}

// letters are those of user codes (RFC 8628 §6.1): no vowels, so no words; no digits, so none that looks like a letter.
const letters = "BCDFGHJKLMNPQRSTVWXZ"

// userCodeLength makes 20^8, nearly 35 bits. It is enough because codes live ten minutes, tries are few, and only the owner's session has
// any.
const userCodeLength = 8

// NewUserCode draws a code in which every letter is as likely as every other.
func NewUserCode() string {
	out := make([]byte, 0, userCodeLength)
	var random [32]byte
	for len(out) < userCodeLength {
		rand.Read(random[:])
		for _, b := range random {
			if len(out) < userCodeLength && int(b) < 256/len(letters)*len(letters) {
				out = append(out, letters[int(b)%len(letters)])
			}
		}
	}
	return string(out)
}

// spell is a user code as it is shown: WDJB-MJHT.
func spell(code string) string { return code[:userCodeLength/2] + "-" + code[userCodeLength/2:] }

// readUserCode is what a person typed as it is kept: in capitals, without what is no letter and no digit (RFC 8628 §6.1). What cannot be
// a code is not ok.
func readUserCode(typed string) (string, bool) {
	if len(typed) > 100 {
		return "", false
	}
	code := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c - 'a' + 'A'
		case c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
			return c
		}
		return -1
	}, typed)
	return code, len(code) == userCodeLength && strings.Trim(code, letters) == ""
}
