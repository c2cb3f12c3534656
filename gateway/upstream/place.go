package upstream

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/reach"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Place is where an added provider is and how it is shown a key. Its base has the version in its path, as OpenAI's has.
type Place struct {
	Base    *url.URL
	Local   bool // in the owner's own network
	Auth    passport.Auth
	Headers []passport.Header
}

// door is the one whose addresses fit. http is for the owner's own network, so that nothing goes through the world in clear.
func (c *Client) door(p Place) *door {
	switch {
	case !p.Local:
		return c.open
	case p.Base.Scheme == "http":
		return c.home
	default:
		return c.any
	}
}

// show puts the credential where the provider looks for it, and the headers that the owner has set.
func (p Place) show(h http.Header, key secret.Text) error {
	for _, add := range p.Headers {
		h.Set(add.Name, add.Value)
	}
	switch p.Auth {
	case passport.AuthBearer:
		h.Set("Authorization", "Bearer "+key.Reveal())
	case passport.AuthAPIKey:
		h.Set("Api-Key", key.Reveal())
	case passport.AuthNone:
	default:
		return problem.New(problem.Internal, "no way to show a credential: %q", p.Auth)
	}
	return nil
}

// refusedAddress says that a name led to where calls to an added provider do not go.
type refusedAddress struct{ addr netip.Addr }

func (e *refusedAddress) Error() string {
	return fmt.Sprintf("the provider's name leads to %s, where its calls may not go", e.addr)
}

// These look at an address when it is dialled, after the name was resolved, so that a name which leads elsewhere the second time gains
// nothing.
func onlyOpen(_, address string, _ syscall.RawConn) error { return within(address, reach.Public) }

func onlyHome(_, address string, _ syscall.RawConn) error { return within(address, reach.Private) }

func openOrHome(_, address string, _ syscall.RawConn) error {
	return within(address, reach.Private, reach.Public)
}

func within(address string, networks ...reach.Network) error {
	to, err := netip.ParseAddrPort(address)
	if err == nil && slices.Contains(networks, reach.Of(to.Addr())) {
		return nil
	}
	return &refusedAddress{to.Addr()}
}
