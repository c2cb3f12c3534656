package flood_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/flood"
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func TestOneKeyIsLimited(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	l := &flood.Limit{PerMinute: 3, Now: c.now}
	for i := range 3 {
		if wait := l.Allow("a"); wait != 0 {
			t.Fatalf("try %d waits %s", i, wait)
		}
	}
	wait := l.Allow("a")
	if wait != 20*time.Second {
		t.Errorf("the fourth waits %s, want 20s", wait)
	}
	if l.Allow("b") != 0 {
		t.Error("another key waits too")
	}
	c.t = c.t.Add(wait)
	if l.Allow("a") != 0 {
		t.Error("after the wait it is still refused")
	}
	if l.Allow("a") == 0 {
		t.Error("one more got through than the wait had room for")
	}
}

// TestAllKeysTogetherAreLimited: many addresses do not add up to as many tries as they like.
func TestAllKeysTogetherAreLimited(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	l := &flood.Limit{PerMinute: 3, Overall: 10, Now: c.now}
	n := 0
	for i := range 100 {
		if l.Allow(fmt.Sprint(i)) == 0 {
			n++
		}
	}
	if n != 10 {
		t.Errorf("%d of 100 keys got through, want 10", n)
	}
}

// TestMemoryIsBounded: when it is full of keys that still count, new ones share one, so they limit each other.
func TestMemoryIsBounded(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	l := &flood.Limit{PerMinute: 1, Overall: 1 << 30, Now: c.now}
	refused := 0
	for i := range 70_000 {
		if l.Allow(fmt.Sprint(i)) != 0 {
			refused++
		}
	}
	if refused == 0 {
		t.Error("70,000 keys were all kept apart")
	}
	c.t = c.t.Add(2 * time.Minute)
	if l.Allow("new") != 0 {
		t.Error("keys that count no more still take room")
	}
}

func TestZeroRefusesAndClockMayGoBack(t *testing.T) {
	if (&flood.Limit{}).Allow("a") == 0 {
		t.Error("the zero Limit lets through")
	}
	c := &clock{time.Unix(100_000, 0)}
	l := &flood.Limit{PerMinute: 1, Now: c.now}
	l.Allow("a")
	c.t = c.t.Add(-time.Hour)
	if wait := l.Allow("a"); wait > time.Minute {
		t.Errorf("after the clock went back an hour it waits %s", wait)
	}
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1%eth0": "fe80::"} {
		if got := flood.Network(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
