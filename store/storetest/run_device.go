package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// deviceCode is a code with a hash, a user code and a grant of its own, made at a time.
func (b *bench) deviceCode(at time.Time) passport.DeviceCode {
	n := b.n.Add(1)
	return passport.DeviceCode{Hash: [32]byte{byte(n >> 16), byte(n >> 8), byte(n), 31: 9}, UserCode: fmt.Sprintf("BCDF%04d", n), Client: "app",
		Grant: passport.GrantID(fmt.Sprintf("device-grant-%06d", n)), JKT: "thumb", From: "192.0.2.7", CreatedAt: at,
		ExpiresAt: at.Add(passport.DeviceCodeLife), Wait: passport.DeviceWait}
}

func testDeviceCodes(_ *testing.T, b *bench) {
	d, other := b.deviceCode(Epoch()), b.deviceCode(Epoch())
	b.ok(b.s.AddDeviceCode(ctx(), d))
	b.ok(b.s.AddDeviceCode(ctx(), other))
	for _, same := range []func(*passport.DeviceCode){
		func(x *passport.DeviceCode) { x.Hash = d.Hash }, func(x *passport.DeviceCode) { x.UserCode = d.UserCode }, func(x *passport.DeviceCode) { x.Grant = d.Grant },
	} {
		x := b.deviceCode(Epoch())
		same(&x)
		b.is(b.s.AddDeviceCode(ctx(), x), problem.Conflict)
	}
	for _, read := range []func() (passport.DeviceCode, error){
		func() (passport.DeviceCode, error) { return b.s.DeviceCode(ctx(), d.Hash) },
		func() (passport.DeviceCode, error) { return b.s.DeviceCodeOfUser(ctx(), d.UserCode) },
		func() (passport.DeviceCode, error) { return b.s.DeviceCodeOfGrant(ctx(), d.Grant) },
	} {
		got, err := read()
		b.ok(err)
		b.equal(got, d)
	}
	_, err := b.s.DeviceCodeOfUser(ctx(), "none")
	b.is(err, problem.NotFound)

	// A poll is kept; a second one that was made from the same state is not.
	next := d
	next.PolledAt, next.Wait = Epoch().Add(time.Second), 10*time.Second
	b.ok(b.s.PollDeviceCode(ctx(), next, time.Time{}))
	b.is(b.s.PollDeviceCode(ctx(), next, time.Time{}), problem.Conflict)
	got, err := b.s.DeviceCode(ctx(), d.Hash)
	b.ok(err)
	b.equal(got, next)

	// Used once, then neither used nor polled; what is not there is not used.
	b.ok(b.s.TakeDeviceCode(ctx(), d.Hash))
	b.is(b.s.TakeDeviceCode(ctx(), d.Hash), problem.Conflict)
	b.is(b.s.TakeDeviceCode(ctx(), [32]byte{42}), problem.Conflict)
	b.is(b.s.PollDeviceCode(ctx(), next, next.PolledAt), problem.Conflict)
	got, err = b.s.DeviceCode(ctx(), d.Hash)
	b.ok(err)
	next.Used = true
	b.equal(got, next)

	// The user code of one that has expired is free again, and not before.
	late := b.deviceCode(d.ExpiresAt.Add(-time.Microsecond))
	late.UserCode = d.UserCode
	b.is(b.s.AddDeviceCode(ctx(), late), problem.Conflict)
	late.CreatedAt = d.ExpiresAt
	b.ok(b.s.AddDeviceCode(ctx(), late))
	_, err = b.s.DeviceCode(ctx(), d.Hash)
	b.is(err, problem.NotFound)
}

func testKeyRequests(_ *testing.T, b *bench) {
	k := passport.KeyRequest{Grant: "key-grant", Callback: "https://notes.example/cb?x=1", Challenge: "challenge", Browser: [32]byte{5, 31: 6}, CreatedAt: Epoch()}
	b.ok(b.s.AddKeyRequest(ctx(), k))
	b.is(b.s.AddKeyRequest(ctx(), k), problem.Conflict)
	got, err := b.s.KeyRequest(ctx(), k.Grant)
	b.ok(err)
	b.equal(got, k)
	_, err = b.s.KeyRequest(ctx(), "nobody")
	b.is(err, problem.NotFound)
	_, err = b.s.KeyRequestOfCode(ctx(), [32]byte{}) // it has no code yet, and nothing is no code
	b.is(err, problem.NotFound)
	b.is(b.s.TakeKeyCode(ctx(), [32]byte{}), problem.Conflict)

	// A new code takes the place of the one before.
	first, second := [32]byte{1, 31: 8}, [32]byte{2, 31: 8}
	b.is(b.s.PutKeyCode(ctx(), "nobody", first, Epoch()), problem.Conflict)
	b.ok(b.s.PutKeyCode(ctx(), k.Grant, first, Epoch().Add(time.Minute)))
	b.ok(b.s.PutKeyCode(ctx(), k.Grant, second, Epoch().Add(2*time.Minute)))
	_, err = b.s.KeyRequestOfCode(ctx(), first)
	b.is(err, problem.NotFound)
	b.is(b.s.TakeKeyCode(ctx(), first), problem.Conflict)
	got, err = b.s.KeyRequestOfCode(ctx(), second)
	b.ok(err)
	k.CodeHash, k.CodeEnds = second, Epoch().Add(2*time.Minute)
	b.equal(got, k)

	// Used once, and then it has no other code.
	b.ok(b.s.TakeKeyCode(ctx(), second))
	b.is(b.s.TakeKeyCode(ctx(), second), problem.Conflict)
	_, err = b.s.KeyRequestOfCode(ctx(), second)
	b.is(err, problem.NotFound)
	b.is(b.s.PutKeyCode(ctx(), k.Grant, first, Epoch()), problem.Conflict)
	got, err = b.s.KeyRequest(ctx(), k.Grant)
	b.ok(err)
	k.Used = true
	b.equal(got, k)
}

// testOneTimeRace: of many who use a device code or a code for a key at once, one does.
func testOneTimeRace(t *testing.T, b *bench) {
	d := b.deviceCode(Epoch())
	b.ok(b.s.AddDeviceCode(ctx(), d))
	hash := [32]byte{3, 31: 8}
	b.ok(b.s.AddKeyRequest(ctx(), passport.KeyRequest{Grant: "raced", Callback: "https://notes.example", Challenge: "c", CreatedAt: Epoch()}))
	b.ok(b.s.PutKeyCode(ctx(), "raced", hash, Epoch().Add(time.Minute)))
	for name, take := range map[string]func() error{
		"device code": func() error { return b.s.TakeDeviceCode(ctx(), d.Hash) },
		"key code":    func() error { return b.s.TakeKeyCode(ctx(), hash) },
	} {
		var got atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := take()
				if err == nil {
					got.Add(1)
				} else if problem.KindOf(err) != problem.Conflict {
					t.Errorf("%s: got %v", name, err)
				}
			})
		}
		wg.Wait()
		if got.Load() != 1 {
			t.Errorf("%s: %d of 20 got it, want 1", name, got.Load())
		}
	}
}

// testOldOneTime: of more than are kept, the oldest go, used or not. Those between are added side by side, which is quicker.
func testOldOneTime(t *testing.T, b *bench) {
	add := func(i int) passport.DeviceCode {
		at := Epoch().Add(time.Duration(i) * time.Microsecond)
		d := b.deviceCode(at)
		if err := b.s.AddDeviceCode(ctx(), d); err != nil {
			t.Errorf("device code %d: %v", i, err)
		}
		if err := b.s.AddKeyRequest(ctx(), passport.KeyRequest{Grant: d.Grant, Callback: "c", Challenge: "c", CreatedAt: at}); err != nil {
			t.Errorf("key request %d: %v", i, err)
		}
		return d
	}
	first := add(0)
	var wg sync.WaitGroup
	for lane := range oldLanes {
		wg.Go(func() {
			for i := 1 + lane; i < passport.MaxOneTime; i += oldLanes {
				add(i)
			}
		})
	}
	wg.Wait()
	_, err := b.s.DeviceCode(ctx(), first.Hash)
	b.ok(err)
	last := add(passport.MaxOneTime)
	_, err = b.s.DeviceCode(ctx(), first.Hash)
	b.is(err, problem.NotFound)
	_, err = b.s.KeyRequest(ctx(), first.Grant)
	b.is(err, problem.NotFound)
	_, err = b.s.DeviceCode(ctx(), last.Hash)
	b.ok(err)
	_, err = b.s.KeyRequest(ctx(), last.Grant)
	b.ok(err)
}

const oldLanes = 16
