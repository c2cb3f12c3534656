package postgres

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
	"github.com/devrelopers/aipassport/store/query"
)

// AddDeviceCode implements device.Codes.
func (s *Store) AddDeviceCode(ctx context.Context, d passport.DeviceCode) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.AddDeviceCode(ctx, q, d) })
}

// DeviceCode implements device.Codes.
func (s *Store) DeviceCode(ctx context.Context, hash [32]byte) (out passport.DeviceCode, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.DeviceCode(ctx, q, hash)
		return err
	})
	return out, err
}

// PollDeviceCode implements device.Codes.
func (s *Store) PollDeviceCode(ctx context.Context, next passport.DeviceCode, was time.Time) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.PollDeviceCode(ctx, q, next, was) })
}

// TakeDeviceCode implements device.Codes.
func (s *Store) TakeDeviceCode(ctx context.Context, hash [32]byte) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.TakeDeviceCode(ctx, q, hash) })
}

// DeviceCodeOfUser implements device.Shown.
func (s *Store) DeviceCodeOfUser(ctx context.Context, userCode string) (out passport.DeviceCode, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.DeviceCodeOfUser(ctx, q, userCode)
		return err
	})
	return out, err
}

// DeviceCodeOfGrant implements device.Shown.
func (s *Store) DeviceCodeOfGrant(ctx context.Context, g passport.GrantID) (out passport.DeviceCode, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.DeviceCodeOfGrant(ctx, q, g)
		return err
	})
	return out, err
}

// AddKeyRequest implements openrouter.Store.
func (s *Store) AddKeyRequest(ctx context.Context, k passport.KeyRequest) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.AddKeyRequest(ctx, q, k) })
}

// KeyRequest implements openrouter.Store.
func (s *Store) KeyRequest(ctx context.Context, g passport.GrantID) (out passport.KeyRequest, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.KeyRequest(ctx, q, g)
		return err
	})
	return out, err
}

// KeyRequestOfCode implements openrouter.Store.
func (s *Store) KeyRequestOfCode(ctx context.Context, hash [32]byte) (out passport.KeyRequest, err error) {
	err = s.read(ctx, func(q *query.Queries) error {
		out, err = store.KeyRequestOfCode(ctx, q, hash)
		return err
	})
	return out, err
}

// PutKeyCode implements openrouter.Store.
func (s *Store) PutKeyCode(ctx context.Context, g passport.GrantID, hash [32]byte, ends time.Time) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.PutKeyCode(ctx, q, g, hash, ends) })
}

// TakeKeyCode implements openrouter.Store.
func (s *Store) TakeKeyCode(ctx context.Context, hash [32]byte) error {
	return s.change(ctx, nil, func(ctx context.Context, q *query.Queries) error { return store.TakeKeyCode(ctx, q, hash) })
}
