package storetest

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// oneTime is what Memory has of device codes and key requests.
type oneTime struct {
	devices map[[32]byte]passport.DeviceCode
	keys    map[passport.GrantID]passport.KeyRequest
}

// AddDeviceCode implements device.Codes.
func (m *Memory) AddDeviceCode(_ context.Context, d passport.DeviceCode) error {
	return m.do("AddDeviceCode", func() error {
		d.CreatedAt, d.ExpiresAt, d.PolledAt = stored(d.CreatedAt), stored(d.ExpiresAt), stored(d.PolledAt)
		for hash, other := range m.once.devices {
			switch {
			case other.UserCode == d.UserCode && !other.ExpiresAt.After(d.CreatedAt):
				delete(m.once.devices, hash)
			case hash == d.Hash || other.UserCode == d.UserCode || other.Grant == d.Grant:
				return store.Exists("device code")
			}
		}
		if m.once.devices == nil {
			m.once.devices = map[[32]byte]passport.DeviceCode{}
		}
		m.once.devices[d.Hash] = d
		if len(m.once.devices) > passport.MaxOneTime {
			delete(m.once.devices, oldest(m.once.devices, func(a, b passport.DeviceCode) int {
				return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), bytes.Compare(a.Hash[:], b.Hash[:]))
			}))
		}
		return nil
	})
}

// oldest is the key of what comes first in an order.
func oldest[K comparable, V any](all map[K]V, order func(a, b V) int) (key K) {
	var first V
	begun := false
	for k, v := range all {
		if !begun || order(v, first) < 0 {
			key, first, begun = k, v, true
		}
	}
	return key
}

// DeviceCode implements device.Codes.
func (m *Memory) DeviceCode(_ context.Context, hash [32]byte) (passport.DeviceCode, error) {
	return m.device("DeviceCode", func(d passport.DeviceCode) bool { return d.Hash == hash })
}

// DeviceCodeOfUser implements device.Shown.
func (m *Memory) DeviceCodeOfUser(_ context.Context, userCode string) (passport.DeviceCode, error) {
	return m.device("DeviceCodeOfUser", func(d passport.DeviceCode) bool { return d.UserCode == userCode })
}

// DeviceCodeOfGrant implements device.Shown.
func (m *Memory) DeviceCodeOfGrant(_ context.Context, g passport.GrantID) (passport.DeviceCode, error) {
	return m.device("DeviceCodeOfGrant", func(d passport.DeviceCode) bool { return d.Grant == g })
}

func (m *Memory) device(method string, is func(passport.DeviceCode) bool) (out passport.DeviceCode, err error) {
	err = m.do(method, func() error {
		for _, d := range m.once.devices {
			if is(d) {
				out = d
				return nil
			}
		}
		return store.NotFound("device code")
	})
	return out, err
}

// PollDeviceCode implements device.Codes.
func (m *Memory) PollDeviceCode(_ context.Context, next passport.DeviceCode, was time.Time) error {
	return m.do("PollDeviceCode", func() error {
		d, ok := m.once.devices[next.Hash]
		if !ok || d.Used || !d.PolledAt.Equal(stored(was)) {
			return store.PolledMeanwhile()
		}
		d.PolledAt, d.Wait = stored(next.PolledAt), next.Wait
		m.once.devices[next.Hash] = d
		return nil
	})
}

// TakeDeviceCode implements device.Codes.
func (m *Memory) TakeDeviceCode(_ context.Context, hash [32]byte) error {
	return m.do("TakeDeviceCode", func() error {
		d, ok := m.once.devices[hash]
		if !ok || d.Used {
			return store.Taken("device code")
		}
		d.Used = true
		m.once.devices[hash] = d
		return nil
	})
}

// AddKeyRequest implements openrouter.Store.
func (m *Memory) AddKeyRequest(_ context.Context, k passport.KeyRequest) error {
	return m.do("AddKeyRequest", func() error {
		if _, there := m.once.keys[k.Grant]; there {
			return store.Exists("key request")
		}
		if m.once.keys == nil {
			m.once.keys = map[passport.GrantID]passport.KeyRequest{}
		}
		m.once.keys[k.Grant] = passport.KeyRequest{Grant: k.Grant, Callback: k.Callback, Challenge: k.Challenge, Browser: k.Browser, CreatedAt: stored(k.CreatedAt)}
		if len(m.once.keys) > passport.MaxOneTime {
			delete(m.once.keys, oldest(m.once.keys, func(a, b passport.KeyRequest) int {
				return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Grant, b.Grant))
			}))
		}
		return nil
	})
}

// KeyRequest implements openrouter.Store.
func (m *Memory) KeyRequest(_ context.Context, g passport.GrantID) (passport.KeyRequest, error) {
	return m.keyRequest("KeyRequest", func(k passport.KeyRequest) bool { return k.Grant == g })
}

// KeyRequestOfCode implements openrouter.Store.
func (m *Memory) KeyRequestOfCode(_ context.Context, hash [32]byte) (passport.KeyRequest, error) {
	return m.keyRequest("KeyRequestOfCode", func(k passport.KeyRequest) bool { return k.CodeHash == hash && !k.CodeEnds.IsZero() && !k.Used })
}

func (m *Memory) keyRequest(method string, is func(passport.KeyRequest) bool) (out passport.KeyRequest, err error) {
	err = m.do(method, func() error {
		for _, k := range m.once.keys {
			if is(k) {
				out = k
				return nil
			}
		}
		return store.NotFound("key request")
	})
	return out, err
}

// PutKeyCode implements openrouter.Store.
func (m *Memory) PutKeyCode(_ context.Context, g passport.GrantID, hash [32]byte, ends time.Time) error {
	return m.do("PutKeyCode", func() error {
		k, ok := m.once.keys[g]
		if !ok || k.Used {
			return store.Taken("key request")
		}
		k.CodeHash, k.CodeEnds = hash, stored(ends)
		m.once.keys[g] = k
		return nil
	})
}

// TakeKeyCode implements openrouter.Store.
func (m *Memory) TakeKeyCode(_ context.Context, hash [32]byte) error {
	return m.do("TakeKeyCode", func() error {
		for g, k := range m.once.keys {
			if k.CodeHash == hash && !k.CodeEnds.IsZero() && !k.Used {
				k.Used = true
				m.once.keys[g] = k
				return nil
			}
		}
		return store.Taken("code")
	})
}
