package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// ownBase says which base URL is the broker itself: calls would go round in circles.
func (c config) ownBase(public *url.URL, addr net.Addr) error {
	for p, u := range c.bases {
		if isOwn(u, public, addr) {
			return fmt.Errorf("%s_BASE_URL: %s is this broker itself", strings.ToUpper(string(p)), u)
		}
	}
	return nil
}

// isOwn says whether an address is where the broker listens or is known.
func isOwn(u, public *url.URL, addr net.Addr) bool {
	host, port, _ := net.SplitHostPort(addr.String())
	if strings.EqualFold(withPort(u), withPort(public)) {
		return true
	}
	if portOf(u) != port {
		return false
	}
	bound, _ := netip.ParseAddr(host)
	to, err := netip.ParseAddr(u.Hostname())
	return loopback(u.Hostname()) || strings.HasSuffix(u.Hostname(), ".localhost") || err == nil && to.Unmap() == bound.Unmap()
}

func withPort(u *url.URL) string { return net.JoinHostPort(u.Hostname(), portOf(u)) }

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}
