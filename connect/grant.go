package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Kept is what a sidecar remembers from one run to the next.
type Kept struct {
	Key     string `json:"key"`     // the DPoP key, PKCS #8
	Local   string `json:"local"`   // the local key, which SDKs show
	Refresh string `json:"refresh"` // the refresh token, worth nothing without Key; empty: nothing was given yet
	Grant   string `json:"grant"`   // its id
	Asked   string `json:"asked"`   // what was asked for: another request is another grant
}

// Keeper keeps what a sidecar remembers; durable on nil.
type Keeper interface{ Keep(Kept) error }

// ErrEnded says that the access is over: revoked, expired, or its refresh token is no good.
var ErrEnded = errors.New("the access has ended: start aipassport connect again to ask anew")

// refreshEarly is how long before its end a token is replaced.
const refreshEarly = time.Minute

// tokens is the answer of the token endpoint (RFC 6749 §5.1).
type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Seconds int64  `json:"expires_in"`
	Refresh string `json:"refresh_token"`
	Grant   string `json:"grant_id"`
}

// holder has the token that calls are made with, and replaces it in time.
type holder struct {
	b    *broker
	keep Keeper
	turn chan struct{} // a place for whoever refreshes: a refresh token works once

	mu     sync.Mutex // guards what follows
	kept   Kept
	access string
	until  time.Time
}

func newHolder(b *broker, keep Keeper, kept Kept) *holder {
	return &holder{b: b, keep: keep, kept: kept, turn: make(chan struct{}, 1)}
}

func (h *holder) remembered() Kept {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kept
}

// token is one that works for a while yet. A stale one is not given again: the broker has refused it. It waits for whoever refreshes
// already.
func (h *holder) token(ctx context.Context, stale string) (string, error) {
	if t := h.fresh(stale); t != "" {
		return t, nil
	}
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer func() { <-h.turn }()
	if t := h.fresh(stale); t != "" {
		return t, nil
	}
	refresh := h.remembered().Refresh
	if refresh == "" {
		return "", ErrEnded
	}
	var got tokens
	// The caller may hang up meanwhile. The answer is taken all the same: the token that was sent is used up.
	err := h.b.post(context.WithoutCancel(ctx), "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, &got)
	if r, ok := errors.AsType[Refused](err); ok && r.Code == "invalid_grant" {
		return "", fmt.Errorf("%w (%s)", ErrEnded, r.Error())
	}
	if err != nil {
		return "", err
	}
	if err := h.take(got); err != nil {
		return "", err
	}
	return got.Access, nil
}

func (h *holder) fresh(stale string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.access == stale || !h.b.now().Add(refreshEarly).Before(h.until) {
		return ""
	}
	return h.access
}

// take keeps new tokens: the refresh token durably, before anything is done with the access token. A bearer token is not taken: it would work
// for whoever steals it, which is what this sidecar is against.
func (h *holder) take(got tokens) error {
	if got.Type != "DPoP" || got.Access == "" {
		return fmt.Errorf("the broker gave a token of type %q, and not one that is bound to our key", got.Type)
	}
	k := h.remembered()
	k.Grant = got.Grant
	if got.Refresh != "" {
		k.Refresh = got.Refresh
	}
	if err := h.keep.Keep(k); err != nil {
		return fmt.Errorf("keep the refresh token: %w", err)
	}
	life := time.Duration(got.Seconds) * time.Second
	if life <= refreshEarly { // a short one is used to its end
		life += refreshEarly
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept, h.access, h.until = k, got.Access, h.b.now().Add(life)
	return nil
}

// end revokes the grant (RFC 7009 §2.1: with its refresh token the grant ends), and forgets it.
func (h *holder) end(ctx context.Context) error {
	k := h.remembered()
	if k.Refresh == "" {
		return nil
	}
	err := h.b.post(ctx, "/oauth/revoke", url.Values{"token": {k.Refresh}, "token_type_hint": {"refresh_token"}}, nil)
	if r, ok := errors.AsType[Refused](err); ok && r.Status == http.StatusBadRequest && r.Code == "invalid_grant" {
		err = nil
	}
	if err != nil {
		return err
	}
	k.Refresh, k.Grant, k.Asked = "", "", ""
	h.mu.Lock()
	h.kept, h.access = k, ""
	h.mu.Unlock()
	return h.keep.Keep(k)
}
