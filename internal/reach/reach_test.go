package reach_test

import (
	"net/netip"
	"testing"

	"github.com/devrelopers/aipassport/internal/reach"
)

func TestNetworks(t *testing.T) {
	for want, list := range map[reach.Network][]string{
		reach.Never: {"169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "168.63.129.16", "100.100.100.200",
			"192.0.0.192", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "2001::1", "192.0.2.1", "198.18.0.1", "fec0::1"},
		reach.Private: {"127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12:3456::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"},
		reach.Public:  {"8.8.8.8", "172.32.0.1", "172.15.0.1", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "168.63.129.17"},
	} {
		for _, a := range list {
			if got := reach.Of(netip.MustParseAddr(a)); got != want {
				t.Errorf("%s: got %d, want %d", a, got, want)
			}
		}
	}
	if got := reach.Of(netip.Addr{}); got != reach.Never {
		t.Errorf("no address: got %d", got)
	}
}
