// Package flood limits how often one key (a client address, a name) may do something a minute, and how often all may
// together. It is memory only and bounded; it owns no clock.
package flood

import (
	"net/netip"
	"sync"
	"time"
)

// Limit allows each key so many a minute, with the minute's worth at once (a generic cell rate, GCRA). The zero Limit refuses.
type Limit struct {
	PerMinute int // of one key
	Overall   int // of all keys together; 0 means 50 times PerMinute
	Now       func() time.Time

	mu    sync.Mutex // guards tat, all, swept
	tat   map[string]time.Time
	all   time.Time
	swept time.Time
}

// maxKeys bounds the memory. When it is full of keys that still count, new keys share one.
const maxKeys = 65536

// Allow counts one try. When it is too many it says how long to wait and counts nothing.
func (l *Limit) Allow(key string) (wait time.Duration) {
	if l.PerMinute <= 0 || l.Now == nil {
		return time.Minute
	}
	overall := l.Overall
	if overall <= 0 {
		overall = 50 * l.PerMinute
	}
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tat == nil {
		l.tat = map[string]time.Time{}
	}
	if _, known := l.tat[key]; !known && len(l.tat) >= maxKeys {
		l.sweep(now)
		if len(l.tat) >= maxKeys {
			key = ""
		}
	}
	next, wait := gcra(l.tat[key], now, l.PerMinute)
	if wait > 0 {
		return wait
	}
	all, wait := gcra(l.all, now, overall)
	if wait > 0 {
		return wait
	}
	l.tat[key], l.all = next, all
	return 0
}

// sweep drops keys that count no more; at most once a second, or whoever has many addresses could keep us busy with it.
func (l *Limit) sweep(now time.Time) {
	if now.Sub(l.swept).Abs() < time.Second {
		return
	}
	l.swept = now
	for k, t := range l.tat {
		if !t.After(now) {
			delete(l.tat, k)
		}
	}
}

// Network is what counts as one address: an IPv6 network of 64 bits belongs to one subscriber.
func Network(a netip.Addr) netip.Addr {
	if !a.Is6() || a.Is4In6() {
		return a.Unmap()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}

// gcra returns the next theoretical arrival time, or how long to wait. A clock that went back waits a minute at most.
func gcra(tat, now time.Time, perMinute int) (time.Time, time.Duration) {
	step := time.Minute / time.Duration(perMinute)
	if tat.Before(now) || tat.Sub(now) > 2*time.Minute {
		tat = now
	}
	next := tat.Add(step)
	if ahead := next.Sub(now) - time.Minute; ahead > 0 {
		return tat, ahead
	}
	return next, 0
}
