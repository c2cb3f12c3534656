// Package roster is the sole owner of which providers there are besides the built-in ones, and of where calls to them may go. It keeps
// those that the owner adds, beside those of the operator's file. It dials nothing, and sees no key.
package roster

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Store is what the roster needs from storage. Each method is one atomic step, durable on nil.
type Store interface {
	// Compatibles returns all, by name.
	Compatibles(ctx context.Context) ([]passport.Compatible, error)
	// AddCompatible stores one as version 1, without a key, with the event. Errors: Invalid; Conflict if the name is taken or there are
	// too many.
	AddCompatible(ctx context.Context, c passport.Compatible, ev passport.Event) error
	// ChangeCompatible replaces the one of the same name and version and counts the version up, with the event. Errors: Invalid,
	// NotFound; Conflict if it has changed meanwhile.
	ChangeCompatible(ctx context.Context, c passport.Compatible, ev passport.Event) error
	// RemoveCompatible deletes one and the keys for it, with the event. Error: NotFound.
	RemoveCompatible(ctx context.Context, p passport.Provider, ev passport.Event) error
}

// Config is what a roster needs.
type Config struct {
	Store Store
	File  []passport.Compatible  // of the operator; where the owner has added one of the same name, this one counts
	Own   func(u *url.URL) error // says that u is the broker itself, where calls would go round in circles
	Now   func() time.Time
	NewID func() string
	// Keys brings along what is in memory of the keys, after the providers were read and before they can be found: the keys of one that
	// was removed are gone with it, and must not be shown to another of its name.
	Keys func(ctx context.Context) error
	// OnChange is told what there is now, before anybody can find it: at New, and whenever it changes. It is not called twice at once.
	OnChange func([]passport.Compatible)
}

// Entry is a provider with its address, as it was checked.
type Entry struct {
	passport.Compatible
	URL      *url.URL // not to be changed
	FromFile bool
}

// Roster holds the added providers. It is safe for use by several goroutines.
type Roster struct {
	cfg  Config
	file []Entry

	mu      sync.RWMutex // guards what follows
	entries map[passport.Provider]Entry
	asked   int64 // how often the store was asked
	taken   int64 // of which answer entries is
}

// New checks the file's providers and reads what is stored. Error: Invalid, with the provider in its text, if one of the file cannot be.
// One that is stored and cannot be any more, because the broker has moved to its address, is left out.
func New(ctx context.Context, cfg Config) (*Roster, error) {
	if cfg.Store == nil || cfg.Own == nil || cfg.Now == nil || cfg.NewID == nil || cfg.Keys == nil || cfg.OnChange == nil {
		panic("roster: a part of Config is missing")
	}
	r := &Roster{cfg: cfg}
	for _, c := range cfg.File {
		e, err := r.check(c)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", c.Name, err)
		}
		e.FromFile = true
		r.file = append(r.file, e)
	}
	return r, r.Reload(ctx)
}

// check is all that c must be.
func (r *Roster) check(c passport.Compatible) (Entry, error) {
	if err := c.Check(); err != nil {
		return Entry{}, err
	}
	u, err := BaseURL(c.Base, c.Local)
	if err != nil {
		return Entry{}, err
	}
	if err := r.cfg.Own(u); err != nil {
		return Entry{}, problem.Wrap(err, problem.Invalid, "is this broker itself: calls would go round in circles").In("base")
	}
	return Entry{Compatible: c, URL: u}, nil
}

// Reload takes over what is stored. Answers that overtake each other are taken in the order in which they were asked for: a later one
// has all that an earlier one has.
func (r *Roster) Reload(ctx context.Context) error {
	r.mu.Lock()
	r.asked++
	turn := r.asked
	r.mu.Unlock()
	stored, err := r.cfg.Store.Compatibles(ctx)
	if err != nil {
		return fmt.Errorf("read the added providers: %w", err)
	}
	if err := r.cfg.Keys(ctx); err != nil {
		return err
	}
	entries := map[passport.Provider]Entry{}
	for _, c := range stored {
		if e, err := r.check(c); err == nil {
			entries[c.Name] = e
		}
	}
	for _, e := range r.file {
		entries[e.Name] = e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if turn <= r.taken {
		return nil
	}
	r.taken, r.entries = turn, entries
	r.cfg.OnChange(configs(entries))
	return nil
}

func configs(entries map[passport.Provider]Entry) []passport.Compatible {
	var out []passport.Compatible
	for _, e := range sorted(entries) {
		out = append(out, e.Compatible)
	}
	return out
}

func sorted(entries map[passport.Provider]Entry) []Entry {
	out := make([]Entry, 0, len(entries))
	for _, e := range entries {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Find returns an added provider.
func (r *Roster) Find(p passport.Provider) (Entry, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e, ok := r.entries[p]
	return e, ok
}

// List returns all, by name.
func (r *Roster) List() []Entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return sorted(r.entries)
}

// Add keeps a new provider, in force from its return on. Errors: Invalid with the field; Conflict if the name is taken.
func (r *Roster) Add(ctx context.Context, c passport.Compatible, actor string) error {
	c.Version, c.CreatedAt = 1, r.cfg.Now()
	if _, err := r.check(c); err != nil {
		return err
	}
	if _, taken := r.Find(c.Name); taken {
		return problem.New(problem.Conflict, "there is a provider of this name already").In("name")
	}
	if err := r.cfg.Store.AddCompatible(ctx, c, r.event(passport.ProviderAdded, actor, string(c.Name)+" at "+c.Base)); err != nil {
		return fmt.Errorf("store provider %s: %w", c.Name, err)
	}
	return r.Reload(ctx)
}

// Change replaces a provider of the same version. Its host stays: keys were given, and apps approved, for that one. Errors: Invalid with
// the field; NotFound; Conflict if it is of the file, or has changed meanwhile.
func (r *Roster) Change(ctx context.Context, c passport.Compatible, actor string) error {
	was, ok := r.Find(c.Name)
	switch {
	case !ok:
		return problem.New(problem.NotFound, "there is no such provider")
	case was.FromFile:
		return fromFile()
	}
	now, err := r.check(c)
	if err != nil {
		return err
	}
	if now.URL.Scheme != was.URL.Scheme || now.URL.Host != was.URL.Host {
		return problem.New(problem.Invalid, "the host cannot be changed, for keys and apps were approved for %s: remove the provider and add it anew", was.URL.Host).In("base")
	}
	if err := r.cfg.Store.ChangeCompatible(ctx, c, r.event(passport.ProviderChanged, actor, string(c.Name)+" at "+c.Base)); err != nil {
		return fmt.Errorf("store provider %s: %w", c.Name, err)
	}
	return r.Reload(ctx)
}

// Remove ends a provider and deletes its keys. Calls that run go on; new ones are refused. Errors: NotFound; Conflict if it is of the
// file.
func (r *Roster) Remove(ctx context.Context, p passport.Provider, actor string) error {
	if e, ok := r.Find(p); ok && e.FromFile {
		return fromFile()
	}
	err := r.cfg.Store.RemoveCompatible(ctx, p, r.event(passport.ProviderRemoved, actor, string(p)))
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return fmt.Errorf("remove provider %s: %w", p, err)
	}
	if e := r.Reload(ctx); e != nil {
		return e
	}
	return err
}

func fromFile() error {
	return problem.New(problem.Conflict, "this provider is set in the operator's file: change it there and restart")
}

func (r *Roster) event(kind passport.EventKind, actor, note string) passport.Event {
	return passport.Event{ID: passport.EventID(r.cfg.NewID()), Kind: kind, At: r.cfg.Now(), Actor: actor, Note: note[:min(len(note), passport.MaxNote)]}
}
