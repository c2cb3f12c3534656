package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// ProviderChanged says that a provider is not at the version that a change was made from.
func ProviderChanged(p passport.Provider) error {
	return problem.New(problem.Conflict, "provider %s has changed meanwhile", p)
}

// TooManyProviders says that the owner cannot add another.
func TooManyProviders() error {
	return problem.New(problem.Conflict, "at most %d providers can be added", passport.MaxCompatibles)
}

// NoProvider says that there is none of this name.
func NoProvider() error { return NotFound("provider") }

// Compatibles is the step of roster.Store.
func Compatibles(ctx context.Context, q *query.Queries) ([]passport.Compatible, error) {
	rows, err := q.Compatibles(ctx)
	if err != nil {
		return nil, err
	}
	var out []passport.Compatible
	for _, r := range rows {
		c := passport.Compatible{Name: passport.Provider(r.Name), Title: r.Title, Preset: passport.Preset(r.Preset), Base: r.Base, Local: r.Local != 0,
			Auth: passport.Auth(r.Auth), Version: r.Version, CreatedAt: TimeOf(r.CreatedAt)}
		if err := json.Unmarshal([]byte(r.Headers), &c.Headers); err != nil {
			return nil, fmt.Errorf("read the headers of provider %s: %w", r.Name, err)
		}
		if err := json.Unmarshal([]byte(r.Models), &c.Tariffs); err != nil {
			return nil, fmt.Errorf("read the prices of provider %s: %w", r.Name, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// AddCompatible is the step of roster.Store. A name begins without keys: one that was left of an earlier provider must not be shown to
// this one.
func AddCompatible(ctx context.Context, q *query.Queries, c passport.Compatible, ev passport.Event) error {
	if err := c.Check(); err != nil {
		return err
	}
	headers, models, err := compatibleJSON(c)
	if err != nil {
		return err
	}
	n, err := q.CountCompatibles(ctx)
	if err != nil {
		return err
	}
	if n >= passport.MaxCompatibles {
		return TooManyProviders()
	}
	n, err = q.AddCompatible(ctx, query.AddCompatibleParams{Name: string(c.Name), Title: c.Title, Preset: string(c.Preset), Base: c.Base, Local: Bit(c.Local),
		Auth: string(c.Auth), Headers: headers, Models: models, CreatedAt: Micros(c.CreatedAt)})
	if err := added(ctx, q, n, err, "provider", ev); err != nil {
		return err
	}
	return removeCredentialsOf(ctx, q, c.Name)
}

// ChangeCompatible is the step of roster.Store.
func ChangeCompatible(ctx context.Context, q *query.Queries, c passport.Compatible, ev passport.Event) error {
	if err := c.Check(); err != nil {
		return err
	}
	headers, models, err := compatibleJSON(c)
	if err != nil {
		return err
	}
	n, err := q.ChangeCompatible(ctx, query.ChangeCompatibleParams{Title: c.Title, Preset: string(c.Preset), Base: c.Base, Local: Bit(c.Local),
		Auth: string(c.Auth), Headers: headers, Models: models, Name: string(c.Name), Version: c.Version})
	if err != nil {
		return err
	}
	if n == 0 {
		there, err := q.HasCompatible(ctx, string(c.Name))
		if err == nil && there == 0 {
			err = NoProvider()
		}
		if err != nil {
			return err
		}
		return ProviderChanged(c.Name)
	}
	return AddEvent(ctx, q, ev)
}

// RemoveCompatible is the step of roster.Store. The provider's keys go with it: one that is added later under the same name, at another
// address, must not be shown them.
func RemoveCompatible(ctx context.Context, q *query.Queries, p passport.Provider, ev passport.Event) error {
	n, err := q.RemoveCompatible(ctx, string(p))
	if err == nil && n == 0 {
		return NoProvider()
	}
	if err != nil {
		return err
	}
	if err := removeCredentialsOf(ctx, q, p); err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

func compatibleJSON(c passport.Compatible) (headers, models string, err error) {
	h, err := json.Marshal(c.Headers)
	if err != nil {
		return "", "", fmt.Errorf("write headers: %w", err)
	}
	m, err := json.Marshal(c.Tariffs)
	if err != nil {
		return "", "", fmt.Errorf("write prices: %w", err)
	}
	return string(h), string(m), nil
}
