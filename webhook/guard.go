package webhook

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
)

const (
	maxURL     = 2000 // bytes of an address
	maxHeaders = 16 << 10
)

// closed are the networks that nobody but the operator may send us to: those that the IANA registries of special-purpose addresses
// (RFC 6890 and its updates) do not call globally reachable, those that carry another address inside, and the addresses at which clouds
// answer their own machines. What of IPv6 is not in 2000::/3 is closed besides.
var closed = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24",
	"192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

var global6 = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// mayDial says whether an address is open to everyone, or listed.
func mayDial(a netip.Addr, allow []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case !a.IsValid():
		return false
	case slices.ContainsFunc(allow, in):
		return true
	case a.Is6() && !global6.Contains(a):
		return false
	default:
		return !slices.ContainsFunc(closed, in)
	}
}

// refusedAddress says that a name led to where we do not go.
type refusedAddress struct{ addr netip.Addr }

func (e *refusedAddress) Error() string {
	return fmt.Sprintf("its address %s is not open to everyone (AIPASSPORT_WEBHOOK_ALLOW)", e.addr)
}

// newClient is a client of its own: no proxy, no redirects, no connection kept. The address is looked at when it is dialled, after the
// name was resolved, so that a name which leads elsewhere the second time gains nothing.
func newClient(allow []netip.Prefix) *http.Client {
	d := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !mayDial(to.Addr(), allow) {
			return &refusedAddress{to.Addr()}
		}
		return nil
	}}
	return &http.Client{
		Timeout:       sendTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: 10 * time.Second, DisableKeepAlives: true,
			DisableCompression: true, MaxResponseHeaderBytes: maxHeaders},
	}
}

// checkURL takes https, and http to a loopback address that is listed where the broker itself is on loopback. What a name leads to is
// looked at when it is dialled.
func checkURL(address string, plain bool, allow []netip.Prefix) (*url.URL, error) {
	bad := func(format string, args ...any) (*url.URL, error) {
		return nil, problem.New(problem.Invalid, format, args...).In("url")
	}
	if len(address) > maxURL {
		return bad("is longer than %d characters", maxURL)
	}
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return bad("is not an address like https://example.com/hook")
	}
	if u.User != nil || u.Fragment != "" {
		return bad("must have no user name, password or fragment")
	}
	literal, err := netip.ParseAddr(u.Hostname())
	isLiteral := err == nil
	if isLiteral && !mayDial(literal, allow) {
		return bad("leads to %s, which is not open to everyone", literal)
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && plain && isLiteral && literal.IsLoopback():
	default:
		return bad("must begin with https://")
	}
	return u, nil
}
