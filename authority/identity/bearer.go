package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/flood"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// MaxOwnerLabel bounds what an owner token may be called, in bytes.
const MaxOwnerLabel = 100

const maxOwnerTokens = 200 // that are listed

// NewOwnerToken makes a bearer of the owner for automation and stores its hash. It is returned once. A zero end means that it
// does not end.
func (i *Identity) NewOwnerToken(ctx context.Context, label string, ends time.Time, actor string) (secret.Text, error) {
	label = strings.TrimSpace(label)
	if label == "" || len(label) > MaxOwnerLabel {
		return secret.Text{}, problem.New(problem.Invalid, "needs 1 to %d bytes", MaxOwnerLabel).In("label")
	}
	now := i.now()
	if !ends.IsZero() && !ends.After(now) {
		return secret.Text{}, problem.New(problem.Invalid, "would have ended already").In("expiresAt")
	}
	random, err := i.random()
	if err != nil {
		return secret.Text{}, err
	}
	text := ownerTokenStart + random
	t := passport.OwnerToken{Hash: sha256.Sum256([]byte(text)), Label: label, CreatedAt: now, ExpiresAt: ends}
	if err := i.cfg.Store.AddOwnerToken(ctx, t, i.event(passport.OwnerTokenMade, actor, label), now); err != nil {
		return secret.Text{}, fmt.Errorf("store the owner token: %w", err)
	}
	return secret.New(text), nil
}

// OwnerTokens are the bearers that stand for a person, newest first; never the bearers themselves.
func (i *Identity) OwnerTokens(ctx context.Context, of passport.Payer) ([]passport.OwnerToken, error) {
	all, err := i.cfg.Store.OwnerTokens(ctx, passport.PersonID(of.Member()), maxOwnerTokens)
	if err != nil {
		return nil, fmt.Errorf("read the owner tokens: %w", err)
	}
	return slices.DeleteFunc(all, func(t passport.OwnerToken) bool { return !i.lives(t) }), nil
}

// EndOwnerToken ends one of a person's bearers for good. Error: NotFound.
func (i *Identity) EndOwnerToken(ctx context.Context, of passport.Payer, id, actor string) error {
	hash, err := hex.DecodeString(id)
	if err != nil || len(hash) != sha256.Size {
		return problem.New(problem.NotFound, "there is no such owner token")
	}
	return i.cfg.Store.EndOwnerToken(ctx, passport.PersonID(of.Member()), [32]byte(hash), i.event(passport.OwnerTokenEnded, actor, ""))
}

func (i *Identity) lives(t passport.OwnerToken) bool {
	return t.ExpiresAt.IsZero() || i.cfg.Now().Before(t.ExpiresAt)
}

// ListOwnerTokens answers GET /owner-tokens: a bare array. For the owner.
func (i *Identity) ListOwnerTokens(w http.ResponseWriter, r *http.Request) {
	who, err := i.Who(r)
	var list []passport.OwnerToken
	if err == nil {
		list, err = i.OwnerTokens(r.Context(), who.Payer())
	}
	if err != nil {
		respond.Error(w, err)
		return
	}
	out := make([]map[string]string, len(list))
	for n, t := range list {
		out[n] = map[string]string{"id": t.ID(), "label": t.Label, "createdAt": t.CreatedAt.Format(time.RFC3339)}
		if !t.ExpiresAt.IsZero() {
			out[n]["expiresAt"] = t.ExpiresAt.Format(time.RFC3339)
		}
	}
	respond.JSON(w, http.StatusOK, out)
}

// RevokeOwnerToken answers POST /owner-tokens/{id}/revoke. For the owner, and so also for the bearer itself.
func (i *Identity) RevokeOwnerToken(w http.ResponseWriter, r *http.Request) {
	who, err := i.Who(r)
	if err == nil {
		err = i.EndOwnerToken(r.Context(), who.Payer(), r.PathValue("id"), "owner:"+string(who.ID))
	}
	if err != nil {
		respond.Error(w, err)
		return
	}
	respond.JSON(w, http.StatusOK, map[string]any{"id": r.PathValue("id"), "revoked": true})
}

// byBearer checks an owner bearer. Wrong ones are counted by address. An address that has shown a right one is not shut out
// by wrong ones from behind the same address (one machine, one NAT), but its wrong ones are refused like any other's. A right one
// that we made is never shut out: nobody guesses 256 bits.
func (i *Identity) byBearer(r *http.Request) (passport.Person, error) {
	values := r.Header.Values("Authorization")
	scheme, text, ok := strings.Cut(values[0], " ")
	if len(values) != 1 || !ok || !strings.EqualFold(scheme, "Bearer") || text == "" {
		return passport.Person{}, problem.New(problem.Unauthenticated, "the owner's bearer is expected")
	}
	right, made, err := i.rightBearer(r.Context(), text)
	if err != nil {
		return passport.Person{}, err
	}
	from := flood.Network(i.cfg.ClientAddr(r))
	if made != nil {
		return i.standsFor(r.Context(), *made)
	}
	if right && i.isKnown(from) {
		return i.owner(r.Context())
	}
	if wait := i.guesses.Allow(from.String()); wait > 0 {
		return passport.Person{}, problem.New(problem.RateExceeded, "too many wrong owner tokens from this address").After(wait)
	}
	if !right {
		return passport.Person{}, problem.New(problem.Unauthenticated, "the owner's bearer is expected")
	}
	i.remember(from)
	return i.owner(r.Context())
}

// rightBearer compares with the token of the environment in constant time, and looks up what has the shape of a stored one, which
// we made; made is that one, if it lives.
func (i *Identity) rightBearer(ctx context.Context, text string) (right bool, made *passport.OwnerToken, err error) {
	if !i.cfg.OwnerToken.Empty() && i.cfg.OwnerToken.Equal(text) {
		return true, nil, nil
	}
	if !strings.HasPrefix(text, ownerTokenStart) || len(text) != len(ownerTokenStart)+tokenLength {
		return false, nil, nil
	}
	t, err := i.cfg.Store.OwnerToken(ctx, sha256.Sum256([]byte(text)))
	if problem.KindOf(err) == problem.NotFound {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, fmt.Errorf("read the owner token: %w", err)
	}
	if !i.lives(t) {
		return false, nil, nil
	}
	return true, &t, nil
}

// standsFor is the person that a bearer which we made stands for. Of who is suspended or removed none works.
func (i *Identity) standsFor(ctx context.Context, t passport.OwnerToken) (passport.Person, error) {
	if t.Person == "" {
		return i.owner(ctx)
	}
	p, err := i.cfg.Store.Person(ctx, t.Person)
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return passport.Person{}, fmt.Errorf("read whom a bearer stands for: %w", err)
	}
	if err != nil || !p.May(passport.OwnSignIn) {
		return passport.Person{}, problem.New(problem.Unauthenticated, "the owner's bearer is expected")
	}
	return p, nil
}

// owner is whom the owner's bearers stand for.
func (i *Identity) owner(ctx context.Context) (passport.Person, error) {
	p, err := i.cfg.Store.Owner(ctx)
	if problem.KindOf(err) == problem.NotFound {
		return passport.Person{ID: Automation, Role: passport.RoleOwner}, nil
	}
	if err != nil {
		return passport.Person{}, fmt.Errorf("read who the owner is: %w", err)
	}
	return p, nil
}

func (i *Identity) isKnown(a netip.Addr) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.known[a]
}

func (i *Identity) remember(a netip.Addr) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.known) >= knownAddresses {
		clear(i.known)
	}
	i.known[a] = true
}
