package device

import (
	"context"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// Codes keeps the devices that wait, beside their grants, for the endpoints. Each method is one atomic step, durable on nil.
type Codes interface {
	// AddDeviceCode stores a code. One that has expired gives its user code up. Of too many the oldest are forgotten. Error: Conflict if
	// its hash, its user code or its grant is there already.
	AddDeviceCode(ctx context.Context, d passport.DeviceCode) error
	// DeviceCode reads a code by its hash, whatever became of it. Error: NotFound.
	DeviceCode(ctx context.Context, hash [32]byte) (passport.DeviceCode, error)
	// PollDeviceCode keeps when a code was polled and how long the device must wait from now on. Error: Conflict if it was polled at
	// another time than was meanwhile, or is used.
	PollDeviceCode(ctx context.Context, next passport.DeviceCode, was time.Time) error
	// TakeDeviceCode uses a code up: one of many callers gets nil. Error: Conflict.
	TakeDeviceCode(ctx context.Context, hash [32]byte) error
}

// Shown is what the pages read. Error of both: NotFound.
type Shown interface {
	// DeviceCodeOfUser reads a code by what the device shows, whatever became of it.
	DeviceCodeOfUser(ctx context.Context, userCode string) (passport.DeviceCode, error)
	// DeviceCodeOfGrant reads the code that a grant was asked for by.
	DeviceCodeOfGrant(ctx context.Context, g passport.GrantID) (passport.DeviceCode, error)
}
