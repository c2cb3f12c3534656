package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

func someProvider(name passport.Provider) passport.Compatible {
	return passport.Compatible{Name: name, Title: "Some Ⓢerver", Preset: "mistral", Base: "https://api.mistral.ai/v1", Auth: passport.AuthBearer, Version: 1,
		CreatedAt: Epoch(), Headers: []passport.Header{{Name: "X-Team", Value: "a"}},
		Tariffs: []passport.ModelTariff{{Model: "m/1", Kind: passport.KindChat, Input: 1, Output: 2, CacheRead: passport.LimitOf(0), Context: 3, MaxOutput: 4},
			{Model: "m-2", Kind: passport.KindEmbedding}}}
}

func testCompatibles(_ *testing.T, b *bench) {
	m := someProvider("mistral")
	b.ok(b.s.AddCompatible(ctx(), m, b.event(passport.ProviderAdded, "")))
	b.is(b.s.AddCompatible(ctx(), m, b.event(passport.ProviderAdded, "")), problem.Conflict)
	b.is(b.s.AddCompatible(ctx(), someProvider("openai"), b.event(passport.ProviderAdded, "")), problem.Invalid)
	local := passport.Compatible{Name: "home", Title: "Home", Preset: "ollama", Base: "http://localhost:1/v1", Local: true, Auth: passport.AuthNone, Version: 1,
		CreatedAt: Epoch().Add(time.Hour)}
	b.ok(b.s.AddCompatible(ctx(), local, b.event(passport.ProviderAdded, "")))
	b.providers(local, m)

	// Swapped by version; the name and its age stay.
	m.Title, m.Headers, m.CreatedAt = "Other", nil, Epoch().Add(time.Minute)
	b.ok(b.s.ChangeCompatible(ctx(), m, b.event(passport.ProviderChanged, "")))
	b.is(b.s.ChangeCompatible(ctx(), m, b.event(passport.ProviderChanged, "")), problem.Conflict)
	m.Version, m.CreatedAt = 2, Epoch()
	b.providers(local, m)
	bad := m
	bad.Auth = ""
	b.is(b.s.ChangeCompatible(ctx(), bad, b.event(passport.ProviderChanged, "")), problem.Invalid)
	b.is(b.s.ChangeCompatible(ctx(), someProvider("nobody"), b.event(passport.ProviderChanged, "")), problem.NotFound)

	// Its keys go with it, those of others stay; and a name begins without keys.
	key := func(id passport.CredentialID, p passport.Provider) passport.Credential {
		return passport.Credential{ID: id, Provider: p, Sealed: []byte{1}, CreatedAt: Epoch(), Version: 1}
	}
	for id, p := range map[passport.CredentialID]passport.Provider{"k1": "mistral", "k2": passport.OpenAI, "k3": "later"} {
		b.ok(b.s.AddCredential(ctx(), key(id, p), b.event(passport.CredentialAdded, "")))
	}
	b.ceiling(passport.CredentialCeiling("k1"), 100)
	b.ceiling(passport.CredentialCeiling("k2"), 200)
	b.ok(b.s.RemoveCompatible(ctx(), "mistral", b.event(passport.ProviderRemoved, "")))
	limits, err := b.s.Ceilings(ctx(), passport.OwnerPays, 202603)
	b.ok(err)
	b.equal(limits, []passport.Ceiling{alone(passport.Ceiling{ID: passport.CredentialCeiling("k2"), Month: 202603, Cap: 200})})
	b.is(b.s.RemoveCompatible(ctx(), "mistral", b.event(passport.ProviderRemoved, "")), problem.NotFound)
	later := someProvider("later")
	b.ok(b.s.AddCompatible(ctx(), later, b.event(passport.ProviderAdded, "")))
	all, err := b.s.Credentials(ctx())
	b.ok(err)
	b.equal(all, []passport.Credential{key("k2", passport.OpenAI)})
	b.equal(len(b.events()), 10)
	b.reopen()
	b.providers(local, later)

	for i := 2; i < passport.MaxCompatibles; i++ {
		b.ok(b.s.AddCompatible(ctx(), someProvider(passport.Provider(fmt.Sprint("p", i))), b.event(passport.ProviderAdded, "")))
	}
	b.is(b.s.AddCompatible(ctx(), someProvider("toomany"), b.event(passport.ProviderAdded, "")), problem.Conflict)
}

func (b *bench) providers(want ...passport.Compatible) {
	b.t.Helper()
	got, err := b.s.Compatibles(ctx())
	b.ok(err)
	b.equal(got, want)
}
