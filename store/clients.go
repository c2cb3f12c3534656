package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/query"
)

// TooManyClients says that there is no room for another client of a kind.
func TooManyClients(k passport.ClientKind) error {
	if k == passport.ClientOwned {
		return problem.New(problem.Conflict, "at most %d apps can be registered: remove one first", passport.MaxOwnedClients)
	}
	return problem.New(problem.Busy, "no client can be registered now: there are %d, and each has a grant that lives", passport.MaxRegisteredClients)
}

// NoClient says that there is none of this id.
func NoClient() error { return NotFound("client") }

// Client is the step of client.Store.
func Client(ctx context.Context, q *query.Queries, id passport.ClientID) (passport.Client, error) {
	row, err := q.Client(ctx, string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return passport.Client{}, NoClient()
	}
	if err != nil {
		return passport.Client{}, err
	}
	return clientOf(row)
}

// Clients is the step of client.Lists.
func Clients(ctx context.Context, q *query.Queries, k passport.ClientKind, limit int) ([]passport.Client, error) {
	rows, err := q.Clients(ctx, query.ClientsParams{Kind: string(k), Limit: Bounded(limit)})
	if err != nil {
		return nil, err
	}
	var out []passport.Client
	for _, row := range rows {
		c, err := clientOf(row)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func clientOf(r query.Client) (passport.Client, error) {
	c := passport.Client{ID: passport.ClientID(r.ID), Kind: passport.ClientKind(r.Kind), Name: r.Name, URI: r.Uri, Auth: passport.ClientAuth(r.Auth),
		JWKS: r.Jwks, JWKSURI: r.JwksUri, DPoP: r.Dpop != 0, CreatedAt: TimeOf(r.CreatedAt), UsedAt: TimeOf(r.UsedAt)}
	copy(c.SecretHash[:], r.SecretHash)
	copy(c.ManageHash[:], r.ManageHash)
	if err := json.Unmarshal([]byte(r.RedirectUris), &c.RedirectURIs); err != nil {
		return passport.Client{}, fmt.Errorf("read the redirect URIs of client %s: %w", r.ID, err)
	}
	return c, nil
}

// hashBytes is how a hash is kept: the zero one, which nothing hashes to, as none.
func hashBytes(h [32]byte) []byte {
	if h == ([32]byte{}) {
		return []byte{}
	}
	return h[:]
}

// AddClient is the step of client.Store.
func AddClient(ctx context.Context, q *query.Queries, c passport.Client, ev passport.Event) error {
	if err := c.Check(); err != nil {
		return err
	}
	ev, err := makeRoom(ctx, q, c, ev)
	if err != nil {
		return err
	}
	uris, err := json.Marshal(c.RedirectURIs)
	if err != nil {
		return fmt.Errorf("write redirect URIs: %w", err)
	}
	n, err := q.AddClient(ctx, query.AddClientParams{ID: string(c.ID), Kind: string(c.Kind), Name: c.Name, Uri: c.URI, RedirectUris: string(uris), Auth: string(c.Auth),
		SecretHash: hashBytes(c.SecretHash), Jwks: c.JWKS, JwksUri: c.JWKSURI, Dpop: Bit(c.DPoP), ManageHash: hashBytes(c.ManageHash), CreatedAt: Micros(c.CreatedAt)})
	return added(ctx, q, n, err, "client", ev)
}

// makeRoom lets the client that was unused for longest give way where there are too many that registered themselves, and says so in the
// event.
func makeRoom(ctx context.Context, q *query.Queries, c passport.Client, ev passport.Event) (passport.Event, error) {
	n, err := q.CountClients(ctx, string(c.Kind))
	if err != nil || n < MostClients(c.Kind) {
		return ev, err
	}
	if c.Kind != passport.ClientRegistered {
		return ev, TooManyClients(c.Kind)
	}
	old, err := q.UnusedClient(ctx, query.UnusedClientParams{Kind: string(c.Kind), ExpiresAt: Micros(ev.At)})
	if errors.Is(err, sql.ErrNoRows) {
		return ev, TooManyClients(c.Kind)
	}
	if err != nil {
		return ev, err
	}
	if _, err := q.RemoveClient(ctx, query.RemoveClientParams{ID: old, Kind: string(c.Kind)}); err != nil {
		return ev, err
	}
	ev.Note = GaveWay(ev.Note, passport.ClientID(old))
	return ev, nil
}

// MostClients is how many of a kind there can be.
func MostClients(k passport.ClientKind) int64 {
	switch k {
	case passport.ClientOwned:
		return passport.MaxOwnedClients
	case passport.ClientRegistered:
		return passport.MaxRegisteredClients
	default:
		return 0
	}
}

// GaveWay is the note of an event whose client another one gave way to.
func GaveWay(note string, old passport.ClientID) string {
	return note[:min(len(note), passport.MaxNote-200)] + "; client " + string(old) + " was unused and gave way"
}

// ChangeClient is the step of client.Store.
func ChangeClient(ctx context.Context, q *query.Queries, c passport.Client, ev passport.Event) error {
	if err := c.Check(); err != nil {
		return err
	}
	uris, err := json.Marshal(c.RedirectURIs)
	if err != nil {
		return fmt.Errorf("write redirect URIs: %w", err)
	}
	n, err := q.ChangeClient(ctx, query.ChangeClientParams{Name: c.Name, Uri: c.URI, RedirectUris: string(uris), Auth: string(c.Auth), SecretHash: hashBytes(c.SecretHash),
		Jwks: c.JWKS, JwksUri: c.JWKSURI, Dpop: Bit(c.DPoP), ManageHash: hashBytes(c.ManageHash), ID: string(c.ID), Kind: string(c.Kind)})
	if err == nil && n == 0 {
		return NoClient()
	}
	if err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// RemoveClient is the step of client.Store.
func RemoveClient(ctx context.Context, q *query.Queries, id passport.ClientID, k passport.ClientKind, ev passport.Event) error {
	n, err := q.RemoveClient(ctx, query.RemoveClientParams{ID: string(id), Kind: string(k)})
	if err == nil && n == 0 {
		return NoClient()
	}
	if err != nil {
		return err
	}
	return AddEvent(ctx, q, ev)
}

// GrantsOfClient is the step of client.Lists.
func GrantsOfClient(ctx context.Context, q *query.Queries, id passport.ClientID, limit int) ([]passport.GrantID, error) {
	rows, err := q.GrantsOfClient(ctx, query.GrantsOfClientParams{ClientID: string(id), Limit: Bounded(limit)})
	var out []passport.GrantID
	for _, r := range rows {
		out = append(out, passport.GrantID(r))
	}
	return out, err
}
