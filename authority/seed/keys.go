package seed

import (
	"context"
	"net/http"
	"time"

	"github.com/devrelopers/aipassport/internal/fields"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// keyJSON is an SDK key in a list: never the key itself.
type keyJSON struct {
	ID         passport.TokenID `json:"id"`
	GrantID    passport.GrantID `json:"grantId"`
	Name       string           `json:"name"`
	Start      string           `json:"start"` // how the key begins
	CreatedAt  string           `json:"createdAt"`
	ExpiresAt  string           `json:"expiresAt"`
	RevokedAt  string           `json:"revokedAt,omitempty"`
	LastUsedAt string           `json:"lastUsedAt,omitempty"` // to the minute
}

func keyView(k passport.SDKKey) keyJSON {
	v := keyJSON{ID: k.ID, GrantID: k.Grant, Name: k.Name, Start: k.Start, CreatedAt: isoTime(k.CreatedAt), ExpiresAt: isoTime(k.ExpiresAt)}
	if !k.RevokedAt.IsZero() {
		v.RevokedAt = isoTime(k.RevokedAt)
	}
	if !k.UsedAt.IsZero() {
		v.LastUsedAt = isoTime(k.UsedAt)
	}
	return v
}

// ListKeys answers GET /grants/{id}/keys: a bare array, newest first. For the owner.
func (a *API) ListKeys(w http.ResponseWriter, r *http.Request) {
	a.asOwner(w, r, http.StatusOK, func(ctx context.Context, who passport.Person, id passport.GrantID) (any, error) {
		list, err := a.Control.Of(who.Payer()).KeysOf(ctx, id)
		out := make([]keyJSON, len(list))
		for i, k := range list {
			out[i] = keyView(k)
		}
		return out, err
	})
}

// MakeKey answers POST /grants/{id}/keys with a key, which is shown this once. For the owner.
func (a *API) MakeKey(w http.ResponseWriter, r *http.Request) {
	a.asOwner(w, r, http.StatusCreated, func(ctx context.Context, who passport.Person, id passport.GrantID) (any, error) {
		body, err := readBody(w, r)
		if err != nil {
			return nil, err
		}
		o, err := fields.Read(body, "name", "expiresInSeconds")
		if err != nil {
			return nil, err
		}
		name, ends := o.String("name", 1), time.Time{}
		if n, ok := o.OptInt("expiresInSeconds", 1); ok {
			ends = a.Now().Add(time.Duration(min(n, int64(passport.MaxLifetime/time.Second))) * time.Second)
		}
		if err := o.Err(); err != nil {
			return nil, err
		}
		s, err := a.Control.Of(who.Payer()).ForKey(ctx, id, a.Owner.Fresh(r))
		if err != nil {
			return nil, err
		}
		text, k, err := a.Tokens.NewKey(ctx, s.Grant, name, ends, owner(who))
		switch problem.KindOf(err) {
		case problem.GrantEnded, problem.GrantPaused:
			return nil, problem.Wrap(err, problem.Invalid, "Grant is '%s', must be 'approved', and apps must not be stopped", s.Grant.State.Wire())
		}
		if p := problem.From(err); err != nil && p.Kind == problem.Invalid && p.Field == "name" {
			o.Fail("name", "%s", p.Detail)
			return nil, o.Err()
		}
		if err != nil {
			return nil, err
		}
		return struct {
			Key string `json:"key"`
			keyJSON
		}{text, keyView(k)}, nil
	})
}

// RevokeKey answers POST /grants/{id}/keys/{key}/revoke, as often as one likes. For the owner.
func (a *API) RevokeKey(w http.ResponseWriter, r *http.Request) {
	a.asOwner(w, r, http.StatusOK, func(ctx context.Context, who passport.Person, id passport.GrantID) (any, error) {
		key := passport.TokenID(r.PathValue("key"))
		n, err := a.Control.Of(who.Payer()).RevokeKey(ctx, id, key, owner(who))
		return map[string]any{"id": key, "grantId": id, "revoked": true, "endedCalls": n}, err
	})
}

// asOwner does something that the owner may do with a grant, and answers with what came of it.
func (a *API) asOwner(w http.ResponseWriter, r *http.Request, status int, do func(context.Context, passport.Person, passport.GrantID) (any, error)) {
	who, err := a.Owner.Who(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	id := passport.GrantID(r.PathValue("id"))
	record.From(r.Context()).Grant = id
	out, err := do(r.Context(), who, id)
	if err != nil {
		fail(w, r, err)
		return
	}
	respond.JSON(w, status, out)
}

// giveBack revokes a grant for the app that holds its secret. A wrong one and an unknown grant are told in the same words.
func (a *API) giveBack(w http.ResponseWriter, r *http.Request, secret string) {
	id := passport.GrantID(r.PathValue("id"))
	_, err := a.Control.BySecret(r.Context(), id, secret)
	if err == nil {
		record.From(r.Context()).Grant = id
		_, _, err = a.Control.Revoke(r.Context(), id, "app:"+string(id))
	}
	var s passport.Standing
	if err == nil {
		s, err = a.Control.Standing(r.Context(), id)
	}
	if err != nil {
		fail(w, r, named(err, problem.NotFound, "Grant not found"))
		return
	}
	respond.JSON(w, http.StatusOK, grantView(s))
}
