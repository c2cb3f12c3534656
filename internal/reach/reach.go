// Package reach says what kind of network an address is in, for whoever dials an address that a person wrote down. It dials nothing.
package reach

import (
	"net/netip"
	"slices"
)

// Network is a kind of network. The zero Network is the one that nobody is sent to.
type Network int

// The three kinds.
const (
	Never   Network = iota // link-local, where clouds answer their own machines; multicast; reserved; what carries another address inside
	Private                // this machine, or a network of one's own
	Public                 // open to everyone
)

// private are loopback (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3), RFC 1918, RFC 6598 and RFC 4193.
var private = prefixes("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")

// never are, besides what is neither private nor globally reachable in the IANA registries of special-purpose addresses (RFC 6890 and
// its updates), single addresses at which clouds answer their own machines: Amazon's fd00:ec2::254 and, in the same block, its time and
// name servers; Azure's 168.63.129.16; Alibaba's 100.100.100.200; Oracle's 192.0.0.192 is in a reserved block.
var never = prefixes("0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", "100.100.100.200/32", "fd00:ec2::/32", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

var global6 = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// Of says what kind of network an address is in. An IPv4 address that is written as an IPv6 one is looked at as what it is.
func Of(a netip.Addr) Network {
	a = a.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case !a.IsValid(), slices.ContainsFunc(never, in):
		return Never
	case slices.ContainsFunc(private, in):
		return Private
	case a.Is4(), global6.Contains(a):
		return Public
	default:
		return Never
	}
}
