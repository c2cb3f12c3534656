package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/web"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Bounds of a ceremony (WebAuthn Level 3 §7).
const (
	challengeLife   = 5 * time.Minute
	challengeCookie = "aipassport-challenge"
	maxAnswer       = 32 << 10 // bytes of what the browser says; attestation is not asked for
	register        = "passkey to add"
	signingIn       = "passkey to sign in"
)

// ceremonies makes what checks passkeys of this broker. Nil, and why, where there can be none: a relying party is a domain
// (WebAuthn Level 3 §5.1.2, relying party identifier), never an address.
func ceremonies(publicURL string) (*webauthn.WebAuthn, string, error) {
	u, err := url.Parse(publicURL)
	if err != nil {
		return nil, "", fmt.Errorf("read the public URL: %w", err)
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || u.Hostname() == "" {
		return nil, "Passkeys belong to a name, and this broker is reached by an address. Give it a name with AIPASSPORT_PUBLIC_URL, then add one.", nil
	}
	yes := true
	w, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: "AIPassport", RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: &yes,
			UserVerification: protocol.VerificationRequired},
		// No extension is used here, so what one says is not looked at; some password managers answer unasked.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore})
	if err != nil {
		return nil, "", fmt.Errorf("passkeys: %w", err)
	}
	return w, "", nil
}

// holder is a person as the library wants to see one.
type holder struct {
	p    passport.Person
	keys []passport.Passkey
}

func (h holder) WebAuthnID() []byte          { return []byte(h.p.ID) }
func (h holder) WebAuthnName() string        { return h.p.Username }
func (h holder) WebAuthnDisplayName() string { return h.p.Name }
func (h holder) WebAuthnCredentials() (out []webauthn.Credential) {
	for _, k := range h.keys {
		var ways []protocol.AuthenticatorTransport
		for _, t := range strings.FieldsFunc(k.Transports, func(r rune) bool { return r == ',' }) {
			ways = append(ways, protocol.AuthenticatorTransport(t))
		}
		out = append(out, webauthn.Credential{ID: k.ID, PublicKey: k.PublicKey, Transport: ways, Authenticator: webauthn.Authenticator{SignCount: k.SignCount},
			Flags: webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: k.Eligible, BackupState: k.BackedUp}})
	}
	return out
}

// holder reads a person with their passkeys. Who is suspended is not there.
func (i *Identity) holder(ctx context.Context, id passport.PersonID) (holder, error) {
	p, err := i.person(ctx, id)
	if err != nil {
		return holder{}, err
	}
	keys, err := i.cfg.Store.Passkeys(ctx, id)
	return holder{p, keys}, err
}

// NoPasskeys says why there can be none here; empty: there can.
func (i *Identity) NoPasskeys() string { return i.noPasskeys }

// Passkeys are those of a person, oldest first.
func (i *Identity) Passkeys(ctx context.Context, who passport.PersonID) ([]passport.Passkey, error) {
	return i.cfg.Store.Passkeys(ctx, who)
}

// asked is what we keep of a challenge, sealed, with the browser that it was made for.
type asked struct {
	Session webauthn.SessionData
	Until   int64 // seconds since 1970
}

// ask gives the browser a challenge for one purpose. The seal is bound to the secret of its session, or of its door.
func (i *Identity) ask(w http.ResponseWriter, v web.Visitor, purpose string, s *webauthn.SessionData) error {
	plain, err := json.Marshal(asked{*s, i.now().Add(challengeLife).Unix()})
	if err != nil {
		return err
	}
	sealed, err := i.cfg.Box.Seal(purpose, v.Sign("passkey", purpose), plain)
	if err != nil {
		return err
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(challengeCookie, base64.RawURLEncoding.EncodeToString(sealed), int(challengeLife/time.Second)))
	return nil
}

// asked returns the challenge that the browser answers: one that we made for it and for this purpose, in time, the first time. It is used up
// before its answer is looked at, at every instance.
func (i *Identity) asked(w http.ResponseWriter, r *http.Request, v web.Visitor, purpose string) (s webauthn.SessionData, err error) {
	late := problem.New(problem.Unauthenticated, "That took too long, or was used already. Try again.")
	c, err := r.Cookie(i.cfg.Pages.CookieName(challengeCookie))
	if err != nil {
		return s, late
	}
	http.SetCookie(w, i.cfg.Pages.Cookie(challengeCookie, "", -1))
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(c.Value)
	if err != nil {
		return s, late
	}
	plain, err := i.cfg.Box.Open(purpose, v.Sign("passkey", purpose), sealed)
	var a asked
	if err != nil || json.Unmarshal(plain, &a) != nil || i.cfg.Now().Unix() >= a.Until {
		return s, late
	}
	fresh, err := i.cfg.Store.Seen(r.Context(), passport.SeenChallenge, sha256.Sum256([]byte(a.Session.Challenge)), time.Unix(a.Until, 0).UTC())
	if err != nil {
		return s, fmt.Errorf("use up the challenge: %w", err)
	}
	if !fresh {
		return s, late
	}
	return a.Session, nil
}

// canPasskey says NotFound where there can be none.
func (i *Identity) canPasskey() error {
	if i.webauthn == nil || i.cfg.Box == nil {
		return problem.New(problem.NotFound, "there are no passkeys here")
	}
	return nil
}

// AskSignIn answers POST /login/passkey/options: a challenge for any passkey of this broker. It takes only requests of our own pages.
func (i *Identity) AskSignIn(w http.ResponseWriter, r *http.Request) {
	err := i.canPasskey()
	if err == nil && !i.cfg.Pages.SameOrigin(r) {
		err = problem.New(problem.Forbidden, "this did not come from a page of this broker")
	}
	var v web.Visitor
	if err == nil {
		v, err = i.door(w, r)
	}
	if err != nil {
		respond.Error(w, err)
		return
	}
	o, s, err := i.webauthn.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err == nil {
		err = i.ask(w, v, signingIn, s)
	}
	if err != nil {
		respond.Error(w, err)
		return
	}
	web.Protect(w)
	respond.JSON(w, http.StatusOK, o)
}

// byPasskey says who answers a challenge of ours.
func (i *Identity) byPasskey(w http.ResponseWriter, r *http.Request, v web.Visitor) (passport.Person, error) {
	no := problem.New(problem.Unauthenticated, "This passkey does not open this broker. Use another, or the password.")
	// 1. The challenge: ours, this browser's, in time, the first time.
	s, err := i.asked(w, r, v, signingIn)
	if err != nil {
		return passport.Person{}, err
	}
	// 2. The answer: origin, relying party, presence, verification and signature (WebAuthn Level 3 §7.2).
	text := r.PostForm.Get("credential")
	if len(text) > maxAnswer {
		return passport.Person{}, no
	}
	said, err := protocol.ParseCredentialRequestResponseBytes([]byte(text))
	if err != nil {
		return passport.Person{}, no
	}
	var h holder
	var broken error // the store, not the passkey
	_, c, err := i.webauthn.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		h, err = i.holder(r.Context(), passport.PersonID(handle))
		if err != nil && problem.KindOf(err) != problem.NotFound {
			broken = fmt.Errorf("read the passkeys: %w", err)
		}
		return h, err
	}, s, said)
	if broken != nil {
		return passport.Person{}, broken
	}
	if err != nil {
		return passport.Person{}, no
	}
	// 3. The counter: it goes on, for one of all who bring it.
	u := passport.Passkey{ID: c.ID, SignCount: said.Response.AuthenticatorData.Counter, BackedUp: c.Flags.BackupState, UsedAt: i.now()}
	ok, err := i.cfg.Store.UsePasskey(r.Context(), u, i.event(passport.PasskeyRefused, "owner:"+string(h.p.ID), "its counter did not go on: there may be a copy of it"))
	if err != nil {
		return passport.Person{}, fmt.Errorf("use the passkey: %w", err)
	}
	if !ok {
		return passport.Person{}, problem.New(problem.Unauthenticated, "This passkey's counter did not go on, so there may be a copy of it. It was refused. Sign in another way and remove it under Settings.")
	}
	return h.p, nil
}

// PasskeyLogin answers POST /login/passkey.
func (i *Identity) PasskeyLogin(w http.ResponseWriter, r *http.Request) {
	d := loginView{}
	i.letIn(w, r, &d, func(v web.Visitor) (passport.Person, error) {
		if err := i.canPasskey(); err != nil {
			return passport.Person{}, err
		}
		p, err := i.byPasskey(w, r, v)
		if err != nil && problem.KindOf(err) == problem.Unauthenticated {
			d.Problem = problem.From(err).Detail
		}
		return p, err
	})
}

// owns finds out who acts on their own passkeys or sessions with a form of ours. If it is nobody, it has answered.
func (i *Identity) owns(w http.ResponseWriter, r *http.Request) (web.Visitor, passport.Session, bool) {
	v, s, err := i.session(r)
	if err != nil && problem.KindOf(err) == problem.Unauthenticated {
		i.cfg.Pages.Redirect(w, r, "/login?next=/settings")
		return v, s, false
	}
	if err == nil {
		err = i.cfg.Pages.Posted(w, r, v)
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return v, s, false
	}
	return v, s, true
}

// AskPasskey answers POST /settings/passkeys/options: what a new passkey is to be made of. Error: SignInStale.
func (i *Identity) AskPasskey(w http.ResponseWriter, r *http.Request) {
	v, s, err := i.session(r)
	if err == nil {
		err = i.canPasskey()
	}
	if err == nil && !i.cfg.Pages.SameOrigin(r) {
		err = problem.New(problem.Forbidden, "this did not come from a page of this broker")
	}
	if err == nil && !i.isFresh(s) {
		err = problem.New(problem.SignInStale, "sign in once more first")
	}
	var h holder
	if err == nil {
		h, err = i.holder(r.Context(), v.ID)
	}
	if err != nil {
		respond.Error(w, err)
		return
	}
	o, made, err := i.webauthn.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()))
	if err == nil {
		err = i.ask(w, v, register, made)
	}
	if err != nil {
		respond.Error(w, err)
		return
	}
	web.Protect(w)
	respond.JSON(w, http.StatusOK, o)
}

// AddPasskey answers POST /settings/passkeys.
func (i *Identity) AddPasskey(w http.ResponseWriter, r *http.Request) {
	v, s, ok := i.owns(w, r)
	if !ok {
		return
	}
	if !i.isFresh(s) {
		i.cfg.Pages.Redirect(w, r, againPath("/settings"))
		return
	}
	err := i.addPasskey(w, r, v)
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	i.cfg.Pages.Say(w, "passkey-added", 0)
	if r.PostForm.Get("next") == "/keys" { // it was a step of setup
		i.cfg.Pages.Redirect(w, r, "/keys")
		return
	}
	i.cfg.Pages.Redirect(w, r, "/settings")
}

func (i *Identity) addPasskey(w http.ResponseWriter, r *http.Request, v web.Visitor) error {
	no := problem.New(problem.Invalid, "the passkey was not made for this broker").In("credential")
	if err := i.canPasskey(); err != nil {
		return err
	}
	label, err := readLabel(r.PostForm.Get("label"))
	if err != nil {
		return err
	}
	h, err := i.holder(r.Context(), v.ID)
	if err != nil {
		return err
	}
	s, err := i.asked(w, r, v, register)
	if err != nil && problem.KindOf(err) == problem.Unauthenticated {
		return problem.New(problem.Invalid, "that took too long, or was used already: try again").In("credential")
	}
	if err != nil {
		return err
	}
	text := r.PostForm.Get("credential")
	if len(text) > maxAnswer {
		return no
	}
	said, err := protocol.ParseCredentialCreationResponseBytes([]byte(text))
	if err != nil {
		return no
	}
	c, err := i.webauthn.CreateCredential(h, s, said)
	if err != nil {
		return no
	}
	ways := make([]string, 0, len(c.Transport))
	for _, t := range c.Transport {
		ways = append(ways, string(t))
	}
	k := passport.Passkey{ID: c.ID, Person: v.ID, PublicKey: c.PublicKey, SignCount: c.Authenticator.SignCount, Transports: clip(strings.Join(ways, ","), 100),
		Eligible: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState, Label: label, CreatedAt: i.now()}
	return i.cfg.Store.AddPasskey(r.Context(), k, i.event(passport.PasskeyAdded, "owner:"+string(v.ID), label))
}

// ChangePasskey answers POST /settings/passkeys/change: it renames or removes one.
func (i *Identity) ChangePasskey(w http.ResponseWriter, r *http.Request) {
	v, _, ok := i.owns(w, r)
	if !ok {
		return
	}
	id, err := base64.RawURLEncoding.Strict().DecodeString(r.PostForm.Get("id"))
	if err != nil {
		i.cfg.Pages.Error(w, r, v, problem.New(problem.NotFound, "there is no such passkey"))
		return
	}
	who, word := "owner:"+string(v.ID), ""
	switch r.PostForm.Get("do") {
	case "rename":
		var label string
		word = "passkey-renamed"
		if label, err = readLabel(r.PostForm.Get("label")); err == nil {
			err = i.cfg.Store.RenamePasskey(r.Context(), v.ID, id, label, i.event(passport.PasskeyRenamed, who, label))
		}
	case "remove":
		word = "passkey-removed"
		err = i.cfg.Store.RemovePasskey(r.Context(), v.ID, id, i.event(passport.PasskeyRemoved, who, ""))
	default:
		err = problem.New(problem.Invalid, "the form does not say what to do").In("do")
	}
	if err != nil {
		i.cfg.Pages.Error(w, r, v, err)
		return
	}
	i.cfg.Pages.Say(w, word, 0)
	i.cfg.Pages.Redirect(w, r, "/settings")
}

func readLabel(text string) (string, error) {
	label := clean(text)
	if label == "" || len(label) > passport.MaxPasskeyLabel || !printable(label) {
		return "", problem.New(problem.Invalid, "needs 1 to %d bytes, without hidden characters", passport.MaxPasskeyLabel).In("label")
	}
	return label, nil
}
