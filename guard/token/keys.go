package token

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// purpose binds what is sealed here to this package's use.
const purpose = "signing-key"

// ring is the keys in force at one time. It has one algorithm, so the two modes never take each other's tokens. It is never
// changed, only replaced.
type ring struct {
	alg    jose.SignatureAlgorithm
	typ    string         // what the header's typ must be
	byKID  map[string]any // verification keys
	signer jose.Signer
	answer jose.Signer // of introspection answers; nil with HS256: nobody but us could verify them
	set    []byte      // RFC 7517 §5
}

// hmacRing signs with one secret, and the header that the seed's tokens have: alg and nothing else.
func hmacRing(key secret.Text) (*ring, error) {
	raw := []byte(key.Reveal())
	if len(raw) < minHMACSecret {
		return nil, problem.New(problem.Invalid, "must have at least %d bytes to sign with", minHMACSecret).In("JWT_SECRET")
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: raw}, nil)
	if err != nil {
		return nil, fmt.Errorf("make the HS256 signer: %w", err)
	}
	return &ring{alg: jose.HS256, byKID: map[string]any{"": raw}, signer: signer, set: []byte(`{"keys":[]}`)}, nil
}

// JWKS is the set of public keys (RFC 7517 §5): the current one, the next, and the retired ones until their last token has
// ended. It is empty with HS256. The caller may not change it.
func (s *Service) JWKS() []byte { return s.ring.Load().set }

// Rotate lets the next key sign, retires the current one, publishes a new next one, and removes those retired keys that no
// living token needs. Error: Conflict with HS256, or if another instance rotates at the same time.
func (s *Service) Rotate(ctx context.Context) error { return s.rotate(ctx, true) }

// RotateIfDue takes over what other instances have rotated, and rotates if the current key has signed for 90 days. It does
// nothing with HS256. Call it at least once a day.
func (s *Service) RotateIfDue(ctx context.Context) error {
	if !s.cfg.HMACSecret.Empty() {
		return nil
	}
	return s.rotate(ctx, false)
}

func (s *Service) rotate(ctx context.Context, now bool) error {
	if !s.cfg.HMACSecret.Empty() {
		return problem.New(problem.Conflict, "tokens are signed with JWT_SECRET: change that to rotate")
	}
	s.rotating.Lock()
	defer s.rotating.Unlock()
	keys, err := s.stored(ctx)
	if err != nil {
		return err
	}
	if now || s.due(keys) {
		err = s.turn(ctx, keys)
	} else if gone := s.outlived(keys); len(gone) > 0 {
		err = s.change(ctx, nil, gone, "removed what no token needs")
	}
	if err != nil {
		return err
	}
	return s.load(ctx)
}

// stored returns the keys oldest first. A key is made when the one before it begins to sign, so among two of one moment the
// state tells which is older.
func (s *Service) stored(ctx context.Context) ([]passport.SigningKey, error) {
	keys, err := s.cfg.Store.SigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the signing keys: %w", err)
	}
	keys = slices.Clone(keys)
	rank := map[passport.KeyState]int{passport.KeyRetired: 0, passport.KeyCurrent: 1, passport.KeyNext: 2}
	slices.SortStableFunc(keys, func(a, b passport.SigningKey) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(rank[a.State], rank[b.State]))
	})
	return keys, nil
}

// due says whether the current key has signed for long enough: since the next one was made.
func (s *Service) due(keys []passport.SigningKey) bool {
	i := slices.IndexFunc(keys, func(k passport.SigningKey) bool { return k.State == passport.KeyNext })
	return i >= 0 && s.cfg.Now().Sub(keys[i].CreatedAt) >= rotateEvery
}

// outlived are the retired keys that no living token needs. A key was retired when the second one after it was made.
func (s *Service) outlived(keys []passport.SigningKey) map[string]passport.KeyState {
	gone := map[string]passport.KeyState{}
	for i, k := range keys {
		if k.State == passport.KeyRetired && i+2 < len(keys) && s.cfg.Now().Sub(keys[i+2].CreatedAt) > s.cfg.TTL+keepRetired {
			gone[k.ID] = "" // removed
		}
	}
	return gone
}

// turn moves every key on by one state. The next key has been published for a while, so whoever keeps a copy of the set knows
// it already.
func (s *Service) turn(ctx context.Context, keys []passport.SigningKey) error {
	move := s.outlived(keys)
	var promoted string
	for _, k := range keys {
		switch {
		case k.State == passport.KeyCurrent:
			move[k.ID] = passport.KeyRetired
		case k.State == passport.KeyNext && promoted == "":
			promoted, move[k.ID] = k.ID, passport.KeyCurrent
		case k.State == passport.KeyNext:
			move[k.ID] = "" // of two instances that rotated at once; it never signed
		}
	}
	return s.add(ctx, passport.KeyNext, move, "now signing with "+promoted)
}

// add makes a key and stores it sealed, with the moves of others.
func (s *Service) add(ctx context.Context, state passport.KeyState, move map[string]passport.KeyState, note string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	thumb, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return fmt.Errorf("name a signing key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	raw, err := private.Bytes()
	if err != nil {
		return fmt.Errorf("write out a signing key: %w", err)
	}
	defer clear(raw)
	k := &passport.SigningKey{ID: public.KeyID, State: state, CreatedAt: s.cfg.Now()}
	if k.Sealed, err = s.cfg.Box.Seal(purpose, k.ID, raw); err != nil {
		return fmt.Errorf("seal a signing key: %w", err)
	}
	if k.Public, err = public.MarshalJSON(); err != nil {
		return fmt.Errorf("write out a public key: %w", err)
	}
	return s.change(ctx, k, move, note)
}

func (s *Service) change(ctx context.Context, add *passport.SigningKey, move map[string]passport.KeyState, note string) error {
	ev := passport.Event{ID: passport.EventID(s.cfg.NewID()), Kind: passport.KeyRotated, At: s.cfg.Now(), Actor: "broker", Note: note}
	if err := s.cfg.Store.RotateSigningKeys(ctx, add, move, ev); err != nil {
		return fmt.Errorf("change the signing keys: %w", err)
	}
	return nil
}

// load reads the keys, makes those that are missing, and puts them in force.
func (s *Service) load(ctx context.Context) error {
	for _, state := range []passport.KeyState{passport.KeyCurrent, passport.KeyNext} {
		keys, err := s.stored(ctx)
		if err != nil {
			return err
		}
		if _, err := s.ringOf(keys); err != nil {
			return err // before a key is added: what is stored must open first
		}
		if slices.ContainsFunc(keys, func(k passport.SigningKey) bool { return k.State == state }) {
			continue
		}
		if err := s.add(ctx, state, nil, "a new "+string(state)+" key"); err != nil {
			return err
		}
	}
	keys, err := s.stored(ctx)
	if err != nil {
		return err
	}
	r, err := s.ringOf(keys)
	if err != nil {
		return err
	}
	s.ring.Store(r)
	return nil
}

// ringOf opens keys. The public halves come from what is sealed, not from the column beside it: who can write to the database
// can add no key that verifies.
func (s *Service) ringOf(keys []passport.SigningKey) (*ring, error) {
	r := &ring{alg: jose.ES256, typ: "at+jwt", byKID: map[string]any{}} // RFC 9068 §2.1
	var set jose.JSONWebKeySet
	for _, k := range keys {
		raw, err := s.cfg.Box.Open(purpose, k.ID, k.Sealed)
		if err != nil {
			return nil, fmt.Errorf("open the signing key %s: %w", k.ID, err)
		}
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
		clear(raw)
		if err != nil {
			return nil, fmt.Errorf("read the signing key %s: %w", k.ID, err)
		}
		r.byKID[k.ID] = &private.PublicKey
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &private.PublicKey, KeyID: k.ID, Algorithm: string(jose.ES256), Use: "sig"})
		if k.State != passport.KeyCurrent || r.signer != nil {
			continue
		}
		r.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: k.ID}},
			(&jose.SignerOptions{}).WithType(jose.ContentType(r.typ)))
		if err != nil {
			return nil, fmt.Errorf("make the signer of %s: %w", k.ID, err)
		}
		r.answer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: k.ID}},
			(&jose.SignerOptions{}).WithType(introspectionType))
		if err != nil {
			return nil, fmt.Errorf("make the signer of answers of %s: %w", k.ID, err)
		}
	}
	var err error
	if r.set, err = json.Marshal(set); err != nil {
		return nil, fmt.Errorf("write out the key set: %w", err)
	}
	return r, nil
}
