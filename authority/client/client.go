// Package client knows who asks: which OAuth client an id names, and whether a request comes from it. A client is known by its metadata
// document, by having registered itself, or because the owner registered it. It reads what clients publish through a door of its own,
// which carries nothing of ours and dials only addresses that are open to everyone. It may not touch providers, money or tokens.
package client

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/authority/oauth/wire"
	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/passport"
)

// Limits of tries a minute.
const (
	fetchesOfHost     = 20 // of what one host publishes
	fetchesOfAddress  = 20 // that one address causes
	fetchesInAll      = 200
	wrongTries        = 10 // wrong secrets and assertions for one client from one address
	registrations     = 10 // from one address
	registrationsAll  = 60
	maxGrantsAtOnce   = 100 // grants of a removed client that are ended between two looks
	maxListed         = passport.MaxOwnedClients
	clockSkew         = 10 * time.Second
	maxAssertion      = 8 << 10          // bytes
	maxAssertionLife  = 10 * time.Minute // from now to exp
	maxAssertionID    = 256              // bytes of jti
	secretBytes       = 32
	idBytes           = 16
	secretPrefix      = "aipc_" // of client secrets, so that scanners of leaked secrets can find one
	managePrefix      = "aipm_" // of registration access tokens
	idPrefix          = "app_"
	assertionType     = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 §2.2
	maxRegistration   = 16 << 10                                                 // bytes of a registration
	registrationRoute = "/oauth/register"
)

// Once remembers what works once; the store does, for all instances.
type Once interface {
	// Seen says whether it was the first time. On an error nobody knows: it is not to be taken.
	Seen(ctx context.Context, kind passport.SeenKind, hash [32]byte, until time.Time) (fresh bool, err error)
}

// Grants ends the grants of a client that is removed. Error: NotFound.
type Grants interface {
	Revoke(ctx context.Context, id passport.GrantID, actor string) (passport.Grant, int, error)
}

// Owner says who the owner is, by session or bearer; Unauthenticated if it is nobody.
type Owner interface {
	Who(r *http.Request) (passport.Person, error)
}

// Config is what Clients needs. All but Allow, Roots, UserAgent and Closed are required.
type Config struct {
	Store      Store
	Lists      Lists
	Once       Once
	Grants     Grants
	Owner      Owner
	Issuer     string // the public URL
	Now        func() time.Time
	NewID      func() string // of events
	ClientAddr func(*http.Request) netip.Addr

	Allow     []netip.Prefix // addresses that documents may be at although they are not open to everyone
	Roots     *x509.CertPool // authorities for their certificates; nil: the system's
	UserAgent string
	Closed    bool // nobody can register a client but the owner
}

// Clients knows the clients. It is safe for use by several goroutines. Use New.
type Clients struct {
	cfg       Config
	door      *door
	documents *kept[passport.Client]
	keySets   *kept[[]byte]

	hosts, addresses, guesses, registers *flood.Limit
}

// New checks that nothing is missing.
func New(cfg Config) (*Clients, error) {
	if cfg.Store == nil || cfg.Lists == nil || cfg.Once == nil || cfg.Grants == nil || cfg.Owner == nil || cfg.Issuer == "" || cfg.Now == nil || cfg.NewID == nil || cfg.ClientAddr == nil {
		return nil, errors.New("clients need a store, lists, what works once, grants, an owner, an issuer, a clock, ids and addresses")
	}
	return &Clients{cfg: cfg, door: newDoor(cfg.Allow, cfg.Roots, cfg.UserAgent), documents: newKept[passport.Client](), keySets: newKept[[]byte](),
		hosts:     &flood.Limit{PerMinute: fetchesOfHost, Overall: fetchesInAll, Now: cfg.Now},
		addresses: &flood.Limit{PerMinute: fetchesOfAddress, Overall: fetchesInAll, Now: cfg.Now},
		guesses:   &flood.Limit{PerMinute: wrongTries, Now: cfg.Now},
		registers: &flood.Limit{PerMinute: registrations, Overall: registrationsAll, Now: cfg.Now},
	}, nil
}

// Client returns the client that an id names. Errors: NotFound if there is none; Invalid if its metadata document cannot be read or is not
// what it must be, with the reason; RateExceeded or Busy if too many documents are asked for.
func (c *Clients) Client(ctx context.Context, id passport.ClientID) (passport.Client, error) {
	switch {
	case id == "" || len(id) > passport.MaxClientID:
		return passport.Client{}, problem.New(problem.NotFound, "there is no such client").In("client_id")
	case id == passport.CommandLineID:
		return passport.CommandLine(), nil
	case strings.HasPrefix(string(id), "https://"):
		return c.document(ctx, id)
	}
	found, err := c.cfg.Store.Client(ctx, id)
	if problem.KindOf(err) == problem.NotFound {
		return passport.Client{}, problem.New(problem.NotFound, "there is no such client").In("client_id")
	}
	return found, err
}

// document returns the client that its metadata document describes.
func (c *Clients) document(ctx context.Context, id passport.ClientID) (passport.Client, error) {
	if err := CheckDocumentURL(string(id)); err != nil {
		return passport.Client{}, err
	}
	now := c.cfg.Now()
	found, err := c.documents.get(string(id), now, time.Time{}, func() (passport.Client, time.Duration, error) {
		p, err := c.fetch(ctx, string(id), MaxDocument)
		if err != nil {
			return passport.Client{}, 0, err
		}
		found, err := readDocument(id, p.body)
		return found, p.fresh, err
	})
	if err != nil {
		p := *problem.From(err)
		if p.Kind == problem.Invalid && p.Field == "" {
			p.Detail = "its metadata document " + p.Detail
		}
		return passport.Client{}, p.In("client_id")
	}
	return found, nil
}

// fetch reads a page, within the limits of its host and of the address that causes it.
func (c *Clients) fetch(ctx context.Context, address string, most int64) (page, error) {
	host, err := hostOf(address)
	if err != nil {
		return page{}, problem.Wrap(err, problem.Invalid, "is not an address")
	}
	from, err := netip.ParseAddr(record.From(ctx).Client)
	if err == nil {
		if wait := c.addresses.Allow(flood.Network(from).String()); wait > 0 {
			return page{}, problem.New(problem.RateExceeded, "too many documents from this address").After(wait)
		}
	}
	if wait := c.hosts.Allow(host); wait > 0 {
		return page{}, problem.New(problem.RateExceeded, "too many documents of this host").After(wait)
	}
	// Several may wait for it: that the one who came first hangs up does not concern the others.
	return c.door.get(context.WithoutCancel(ctx), address, most, c.cfg.Now())
}

// readDocument reads a metadata document (draft-ietf-oauth-client-id-metadata-document-01, "Client Metadata Document"): its client_id is its
// address, it has no shared secret, and a client that names no method is a public one. Error: Invalid.
func readDocument(id passport.ClientID, body []byte) (passport.Client, error) {
	o, err := fields.Read(body, known...)
	if err != nil {
		return passport.Client{}, problem.New(problem.Invalid, "is not a JSON object whose members come once, in small letters")
	}
	if text, ok := o.OptString("client_id"); !ok || text != string(id) {
		return passport.Client{}, problem.New(problem.Invalid, "must name its own address as client_id, letter by letter")
	}
	if o.Has("client_secret") || o.Has("client_secret_expires_at") {
		return passport.Client{}, problem.New(problem.Invalid, "must have no client_secret: everybody can read it")
	}
	found, err := metadata(o, passport.Client{ID: id, Kind: passport.ClientDocument}, passport.PublicClient)
	if err == nil {
		err = checked(found, wantsRedirects(o))
	}
	if err != nil {
		return passport.Client{}, problem.Wrap(err, problem.Invalid, "has %s", wire.From(err).Description)
	}
	return found, nil
}
