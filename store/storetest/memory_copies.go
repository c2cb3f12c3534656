package storetest

import (
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store"
)

// copied is a grant that shares nothing with g, its times as a store gives them back.
func copied(g passport.Grant) passport.Grant {
	g.Asked, g.Details = copiedDetails(g.Asked), copiedDetails(g.Details)
	g.Above = slices.Clone(g.Above)
	g.CreatedAt, g.ExpiresAt = stored(g.CreatedAt), stored(g.ExpiresAt)
	g.ApprovedAt, g.RevokedAt = stored(g.ApprovedAt), stored(g.RevokedAt)
	return g
}

func copiedDetails(ds []passport.Detail) []passport.Detail {
	out := slices.Clone(ds)
	for i := range out {
		out[i].Models, out[i].Capabilities = slices.Clone(out[i].Models), slices.Clone(out[i].Capabilities)
	}
	return out
}

// mustBeFree returns Conflict if a key is taken.
func mustBeFree[K comparable, V any](in map[K]V, key K, what string) error {
	if _, taken := in[key]; taken {
		return store.Exists(what)
	}
	return nil
}

// stored is a time as a store gives it back.
func stored(t time.Time) time.Time { return store.TimeOf(store.Micros(t)) }
