package keys

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// maxBody bounds a body, in bytes.
const maxBody = 8 << 10

// Owner says who asks, by session or bearer; Unauthenticated if it is nobody.
type Owner interface {
	Who(r *http.Request) (passport.Person, error)
}

// Limits are the monthly ceilings.
type Limits interface {
	// CeilingsNow lists those that are set, with what this month has on them.
	CeilingsNow(ctx context.Context, of passport.Payer) ([]passport.Ceiling, error)
	// SetCeiling sets or changes one, from now on. Error: Invalid.
	SetCeiling(ctx context.Context, id passport.CeilingID, most passport.Money, actor string) error
	RemoveCeiling(ctx context.Context, id passport.CeilingID, actor string) error
}

// keyJSON is a provider key in the owner's REST API: never any part of the key itself.
type keyJSON struct {
	ID           passport.CredentialID `json:"id"`
	Provider     passport.Provider     `json:"provider"`
	Label        string                `json:"label"`
	Source       string                `json:"source"`  // "stored" or "environment"
	Default      bool                  `json:"default"` // it is lent to apps
	State        string                `json:"state"`   // "works", "refused", "not_reached" or "not_tested"
	Said         string                `json:"said,omitempty"`
	TestedAt     string                `json:"testedAt,omitempty"`
	RefusedSince string                `json:"refusedSince,omitempty"`
	CreatedAt    string                `json:"createdAt,omitempty"`
	RotatedAt    string                `json:"rotatedAt,omitempty"`
	Limit        *limitJSON            `json:"monthlyLimit"` // null: none of its own
	Models       *modelsJSON           `json:"models,omitempty"`
}

// limitJSON is a key's monthly limit. Money is in micro-dollars.
type limitJSON struct {
	Cap       passport.Money `json:"capMicroUsd"`
	Spent     passport.Money `json:"spentMicroUsd"`
	Reserved  passport.Money `json:"reservedMicroUsd"`
	Remaining passport.Money `json:"remainingMicroUsd"`
	ResetsAt  string         `json:"resetsAt"`
}

type modelsJSON struct {
	AskedAt string      `json:"askedAt"`
	Count   int         `json:"count"`
	Priced  int         `json:"priced"`
	List    []modelJSON `json:"list"`
}

type modelJSON struct {
	Model  string `json:"model"`
	Priced bool   `json:"priced"`
}

func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func (k *Keys) view(e vault.Entry, limits []passport.Ceiling) keyJSON {
	c := e.Credential
	v := keyJSON{ID: c.ID, Provider: c.Provider, Label: c.Label, Source: "stored", Default: e.Used, State: state(c), Said: c.TestError, TestedAt: iso(c.TestedAt),
		RefusedSince: iso(c.RefusedAt), CreatedAt: iso(c.CreatedAt), RotatedAt: iso(c.RotatedAt)}
	if e.FromEnv {
		v.Source = "environment"
	}
	for _, l := range limits {
		if l.ID == passport.CredentialCeiling(c.ID) {
			v.Limit = &limitJSON{l.Cap, l.Spent(), l.Held, l.Left(), iso(l.Month.Ends())}
		}
	}
	if found, at, ok := k.Models(c.ID); ok {
		v.Models = &modelsJSON{AskedAt: iso(at), Count: len(found), List: []modelJSON{}}
		for _, f := range found {
			if f.Priced {
				v.Models.Priced++
			}
			v.Models.List = append(v.Models.List, modelJSON{f.Model, f.Priced})
		}
	}
	return v
}

// state is what is known of a key: what its provider said last, in a call or in a test.
func state(c passport.Credential) string {
	switch {
	case !c.RefusedAt.IsZero():
		return "refused"
	case c.TestedAt.IsZero():
		return "not_tested"
	case c.TestError == "":
		return "works"
	default:
		return "not_reached"
	}
}

// API are a person's handlers by pattern, for their own keys. Where a page has the same pattern, these are for programs.
func (k *Keys) API() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /keys":      k.do(http.StatusOK, k.list),
		"POST /keys":     k.do(http.StatusCreated, k.addOne),
		"GET /keys/{id}": k.do(http.StatusOK, func(r *http.Request, who passport.Person) (any, error) { return k.one(r, who, idOf(r)) }),
		"POST /keys/{id}/test": k.do(http.StatusOK, func(r *http.Request, who passport.Person) (any, error) {
			if _, err := k.Test(r.Context(), who.Payer(), idOf(r), actor(who)); err != nil {
				return nil, err
			}
			return k.one(r, who, idOf(r))
		}),
		"POST /keys/{id}/rotate": k.do(http.StatusOK, k.rotateOne),
		"POST /keys/{id}/default": k.do(http.StatusOK, func(r *http.Request, who passport.Person) (any, error) {
			if err := k.Choose(r.Context(), who.Payer(), idOf(r), actor(who)); err != nil {
				return nil, err
			}
			return k.one(r, who, idOf(r))
		}),
		"POST /keys/{id}/rename": k.do(http.StatusOK, k.renameOne),
		"POST /keys/{id}/limit":  k.do(http.StatusOK, k.limitOne),
		"POST /keys/{id}/remove": k.do(http.StatusOK, func(r *http.Request, who passport.Person) (any, error) {
			return map[string]any{"id": idOf(r), "removed": true}, k.Remove(r.Context(), who.Payer(), idOf(r), actor(who))
		}),
	}
}

func idOf(r *http.Request) passport.CredentialID { return passport.CredentialID(r.PathValue("id")) }

func actor(who passport.Person) string { return "owner:" + string(who.ID) }

// do answers a person with what came of a step.
func (k *Keys) do(status int, step func(r *http.Request, who passport.Person) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := k.cfg.Owner.Who(r)
		if err == nil && !who.May(passport.OwnKeys) {
			err = problem.New(problem.Forbidden, "who may have no provider keys of their own may not do this")
		}
		var out any
		if err == nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			out, err = step(r, who)
		}
		if err != nil {
			record.From(r.Context()).Err = err
			if problem.KindOf(err) == problem.Unauthenticated {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			respond.Error(w, err)
			return
		}
		respond.JSON(w, status, out)
	}
}

func (k *Keys) list(r *http.Request, who passport.Person) (any, error) {
	all, err := k.List(r.Context(), who.Payer())
	if err != nil {
		return nil, err
	}
	limits, err := k.cfg.Limits.CeilingsNow(r.Context(), who.Payer())
	out := make([]keyJSON, len(all))
	for i, e := range all {
		out[i] = k.view(e, limits)
		if m := out[i].Models; m != nil {
			m.List = nil // that of one key is long
		}
	}
	return out, err
}

func (k *Keys) one(r *http.Request, who passport.Person, id passport.CredentialID) (any, error) {
	e, err := k.Find(r.Context(), who.Payer(), id)
	if err != nil {
		return nil, err
	}
	limits, err := k.cfg.Limits.CeilingsNow(r.Context(), who.Payer())
	return k.view(e, limits), err
}

func (k *Keys) addOne(r *http.Request, who passport.Person) (any, error) {
	o, err := read(r, "provider", "label", "key", "default", "monthlyLimitCents")
	if err != nil {
		return nil, err
	}
	p, label, key := o.String("provider", 1), o.String("label", 1), o.String("key", 1)
	choose, _ := o.OptBool("default")
	cents, limited := o.OptInt("monthlyLimitCents", 0)
	if limited && cents > int64(passport.MaxMoney/passport.Cent) {
		o.Fail("monthlyLimitCents", "must be at most %d", int64(passport.MaxMoney/passport.Cent))
	}
	if err := o.Err(); err != nil {
		return nil, err
	}
	c, err := k.Add(r.Context(), who.Payer(), passport.Provider(p), label, secret.New(key), actor(who))
	if err != nil {
		return nil, fieldOf(o, err)
	}
	if limited {
		err = k.cfg.Limits.SetCeiling(r.Context(), passport.CredentialCeiling(c.ID), passport.Money(cents)*passport.Cent, actor(who))
	}
	if err == nil && choose {
		err = k.Choose(r.Context(), who.Payer(), c.ID, actor(who))
	}
	if err != nil {
		return nil, err
	}
	return k.one(r, who, c.ID)
}

func (k *Keys) rotateOne(r *http.Request, who passport.Person) (any, error) {
	o, err := read(r, "key")
	if err != nil {
		return nil, err
	}
	key := o.String("key", 1)
	if err := o.Err(); err != nil {
		return nil, err
	}
	if err := k.Rotate(r.Context(), who.Payer(), idOf(r), secret.New(key), actor(who)); err != nil {
		return nil, fieldOf(o, err)
	}
	return k.one(r, who, idOf(r))
}

func (k *Keys) renameOne(r *http.Request, who passport.Person) (any, error) {
	o, err := read(r, "label")
	if err != nil {
		return nil, err
	}
	label := o.String("label", 1)
	if err := o.Err(); err != nil {
		return nil, err
	}
	if err := k.Rename(r.Context(), who.Payer(), idOf(r), label, actor(who)); err != nil {
		return nil, fieldOf(o, err)
	}
	return k.one(r, who, idOf(r))
}

func (k *Keys) limitOne(r *http.Request, who passport.Person) (any, error) {
	o, err := read(r, "monthlyLimitCents")
	if err != nil {
		return nil, err
	}
	if _, err := k.Find(r.Context(), who.Payer(), idOf(r)); err != nil {
		return nil, err
	}
	id := passport.CredentialCeiling(idOf(r))
	if string(o.Raw("monthlyLimitCents")) == "null" {
		if err := k.cfg.Limits.RemoveCeiling(r.Context(), id, actor(who)); err != nil {
			return nil, err
		}
		return k.one(r, who, idOf(r))
	}
	cents := o.Int("monthlyLimitCents", 0)
	if cents > int64(passport.MaxMoney/passport.Cent) {
		o.Fail("monthlyLimitCents", "must be at most %d", int64(passport.MaxMoney/passport.Cent))
	}
	if err := o.Err(); err != nil {
		return nil, err
	}
	if err := k.cfg.Limits.SetCeiling(r.Context(), id, passport.Money(cents)*passport.Cent, actor(who)); err != nil {
		return nil, err
	}
	return k.one(r, who, idOf(r))
}

func read(r *http.Request, known ...string) (*fields.Object, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, problem.Wrap(err, problem.TooLarge, "the body is larger than %d bytes", maxBody)
	}
	return fields.Read(body, known...)
}

// fieldOf says at its field what is wrong with a key that was sent; a refusal by the provider is such.
func fieldOf(o *fields.Object, err error) error {
	p := problem.From(err)
	if p.Field == "" || p.Kind != problem.Invalid && p.Kind != problem.CredentialRefused {
		return err
	}
	o.Fail(p.Field, "%s", p.Detail)
	return o.Err()
}
