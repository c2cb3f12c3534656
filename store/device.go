package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// AddDeviceCode is the step of device.Codes.
func AddDeviceCode(ctx context.Context, q *query.Queries, d passport.DeviceCode) error {
	if err := q.DropUserCode(ctx, query.DropUserCodeParams{UserCode: d.UserCode, ExpiresAt: Micros(d.CreatedAt)}); err != nil {
		return err
	}
	n, err := q.AddDeviceCode(ctx, query.AddDeviceCodeParams{Hash: d.Hash[:], UserCode: d.UserCode, ClientID: string(d.Client),
		GrantID: string(d.Grant), Jkt: d.JKT, Sender: d.From, CreatedAt: Micros(d.CreatedAt), ExpiresAt: Micros(d.ExpiresAt),
		Wait: int64(d.Wait / time.Microsecond), PolledAt: Micros(d.PolledAt), Used: Bit(d.Used)})
	if err != nil {
		return err
	}
	if n == 0 {
		return Exists("device code")
	}
	return q.DropOldDeviceCodes(ctx, passport.MaxOneTime-1)
}

// DeviceCode is the step of device.Codes.
func DeviceCode(ctx context.Context, q *query.Queries, hash [32]byte) (passport.DeviceCode, error) {
	return deviceCode(q.DeviceCode(ctx, hash[:]))
}

// DeviceCodeOfUser is the step of device.Shown.
func DeviceCodeOfUser(ctx context.Context, q *query.Queries, userCode string) (passport.DeviceCode, error) {
	return deviceCode(q.DeviceCodeOfUser(ctx, userCode))
}

// DeviceCodeOfGrant is the step of device.Shown.
func DeviceCodeOfGrant(ctx context.Context, q *query.Queries, g passport.GrantID) (passport.DeviceCode, error) {
	return deviceCode(q.DeviceCodeOfGrant(ctx, string(g)))
}

func deviceCode(d query.DeviceCode, err error) (passport.DeviceCode, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return passport.DeviceCode{}, NotFound("device code")
	}
	out := passport.DeviceCode{UserCode: d.UserCode, Client: passport.ClientID(d.ClientID), Grant: passport.GrantID(d.GrantID), JKT: d.Jkt,
		From: d.Sender, CreatedAt: TimeOf(d.CreatedAt), ExpiresAt: TimeOf(d.ExpiresAt), Wait: time.Duration(d.Wait) * time.Microsecond,
		PolledAt: TimeOf(d.PolledAt), Used: d.Used != 0}
	copy(out.Hash[:], d.Hash)
	return out, err
}

// PollDeviceCode is the step of device.Codes.
func PollDeviceCode(ctx context.Context, q *query.Queries, next passport.DeviceCode, was time.Time) error {
	n, err := q.PollDeviceCode(ctx, query.PollDeviceCodeParams{PolledAt: Micros(next.PolledAt), Wait: int64(next.Wait / time.Microsecond),
		Hash: next.Hash[:], PolledAt_2: Micros(was)})
	if err == nil && n == 0 {
		return PolledMeanwhile()
	}
	return err
}

// TakeDeviceCode is the step of device.Codes.
func TakeDeviceCode(ctx context.Context, q *query.Queries, hash [32]byte) error {
	n, err := q.TakeDeviceCode(ctx, hash[:])
	if err == nil && n == 0 {
		return Taken("device code")
	}
	return err
}

// PolledMeanwhile says that a device code is not as it was read.
func PolledMeanwhile() error {
	return problem.New(problem.Conflict, "the device code was asked for at the same time")
}

// Taken says that a thing that is used once was used, or is not there.
func Taken(what string) error {
	return problem.New(problem.Conflict, "this %s was used, or there is none", what)
}

// AddKeyRequest is the step of openrouter.Store.
func AddKeyRequest(ctx context.Context, q *query.Queries, k passport.KeyRequest) error {
	n, err := q.AddKeyRequest(ctx, query.AddKeyRequestParams{GrantID: string(k.Grant), Callback: k.Callback, Challenge: k.Challenge,
		CodeHash: []byte{}, CodeEnds: 0, CreatedAt: Micros(k.CreatedAt), Used: 0, Browser: k.Browser[:]})
	if err != nil {
		return err
	}
	if n == 0 {
		return Exists("key request")
	}
	return q.DropOldKeyRequests(ctx, passport.MaxOneTime-1)
}

// KeyRequest is the step of openrouter.Store.
func KeyRequest(ctx context.Context, q *query.Queries, g passport.GrantID) (passport.KeyRequest, error) {
	return keyRequest(q.KeyRequest(ctx, string(g)))
}

// KeyRequestOfCode is the step of openrouter.Store.
func KeyRequestOfCode(ctx context.Context, q *query.Queries, hash [32]byte) (passport.KeyRequest, error) {
	return keyRequest(q.KeyRequestOfCode(ctx, hash[:]))
}

func keyRequest(k query.KeyRequest, err error) (passport.KeyRequest, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return passport.KeyRequest{}, NotFound("key request")
	}
	out := passport.KeyRequest{Grant: passport.GrantID(k.GrantID), Callback: k.Callback, Challenge: k.Challenge, CodeEnds: TimeOf(k.CodeEnds),
		CreatedAt: TimeOf(k.CreatedAt), Used: k.Used != 0}
	copy(out.CodeHash[:], k.CodeHash)
	copy(out.Browser[:], k.Browser)
	return out, err
}

// PutKeyCode is the step of openrouter.Store.
func PutKeyCode(ctx context.Context, q *query.Queries, g passport.GrantID, hash [32]byte, ends time.Time) error {
	n, err := q.PutKeyCode(ctx, query.PutKeyCodeParams{CodeHash: hash[:], CodeEnds: Micros(ends), GrantID: string(g)})
	if err == nil && n == 0 {
		return Taken("key request")
	}
	return err
}

// TakeKeyCode is the step of openrouter.Store.
func TakeKeyCode(ctx context.Context, q *query.Queries, hash [32]byte) error {
	n, err := q.TakeKeyCode(ctx, hash[:])
	if err == nil && n == 0 {
		return Taken("code")
	}
	return err
}
