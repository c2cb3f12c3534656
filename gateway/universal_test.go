package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/devrelopers/aipassport/gateway"
	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/recall"
	"github.com/devrelopers/aipassport/guard/repeat"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/seal"
	"github.com/devrelopers/aipassport/passport"
	"github.com/devrelopers/aipassport/store/storetest"
)

// held is every token's standing.
type held struct{ s *passport.Standing }

func (h held) Nonce() (string, error) { return "", nil }

func (h held) Look(ctx context.Context, access string) (token.Passport, passport.Standing, error) {
	return h.Admit(ctx, token.Shown{Access: access})
}

func (h held) Admit(context.Context, token.Shown) (token.Passport, passport.Standing, error) {
	return token.Passport{Token: "t", Grant: "g"}, *h.s, nil
}

// TestWhichProviderAModelIsOf: the table of resolve, line by line. No provider has a key, and the refusal names the provider that was found.
func TestWhichProviderAModelIsOf(t *testing.T) {
	box, err := seal.Open(t.TempDir() + "/kek")
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.New(context.Background(), vault.Config{Sealed: storetest.NewMemory(), Box: box, Now: time.Now, NewID: newID})
	if err != nil {
		t.Fatal(err)
	}
	tariff, err := meter.LoadTariff()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gpt-4o", "openai/gpt-4o", "vendor/model"} { // as a provider does that resells others' models
		tariff = tariff.With(meter.ModelPrice{Provider: passport.Sandbox, Model: name})
	}
	var s passport.Standing
	g := gateway.New(gateway.Config{Tokens: held{&s}, Tariff: tariff, Vault: v, Board: recall.New(time.Now), Repeats: &repeat.Keeper{Box: box, Now: time.Now}, Now: time.Now,
		OpenAI: openai.New(), Anthropic: anthropic.New(), Google: gemini.New(), Compatible: func(p passport.Provider) dialect.Dialect {
			if p == passport.Sandbox {
				return openai.New()
			}
			return nil
		},
		MaxBody: 1 << 20, MaxBodies: 2 << 20, BodyTimeout: time.Minute, WriteTimeout: time.Minute})
	mux := http.NewServeMux()
	for _, rt := range g.Routes() {
		mux.HandleFunc(rt.Pattern, rt.Handler)
	}
	srv := httptest.NewServer(mux)
	defer srv.Close()
	detail := func(p passport.Provider, models ...string) passport.Detail {
		return passport.Detail{Provider: p, Models: models, Capabilities: []passport.Capability{passport.Chat}}
	}
	const chat, messages, proxy = "/v1/chat/completions", "/anthropic/v1/messages", "/proxy/chat"
	for _, c := range []struct {
		path, model string
		details     []passport.Detail
		want        string
	}{
		{chat, "m", []passport.Detail{detail("anthropic"), detail("google", "m"), detail("sandbox", "m")}, "google"},                       // named: the first
		{chat, "m", []passport.Detail{detail("google", "m"), detail("openai", "m")}, "openai"},                                             // named: the format's own
		{messages, "m", []passport.Detail{detail("google", "m"), detail("anthropic", "m")}, "anthropic"},                                   // likewise
		{proxy, "m", []passport.Detail{detail("google", "m"), detail("openai", "m")}, "google"},                                            // that has no own
		{chat, "openai/gpt-4o", []passport.Detail{detail("openai"), detail("sandbox", "openai/gpt-4o")}, "sandbox"},                        // named, slash and all
		{chat, "openai/gpt-4o", []passport.Detail{detail("sandbox"), detail("openai")}, "openai"},                                          // a provider that is granted comes before a price
		{chat, "openai/gpt-4o", []passport.Detail{detail("sandbox"), detail("anthropic")}, "sandbox"},                                      // one that is not does not
		{messages, "sandbox/vendor/model", []passport.Detail{detail("anthropic"), detail("sandbox")}, "sandbox"},                           // always so
		{messages, "vendor/model", []passport.Detail{detail("anthropic"), detail("sandbox")}, "sandbox"},                                   // or by its price
		{chat, "gpt-4o", []passport.Detail{detail("sandbox"), detail("openai")}, "openai"},                                                 // two prices: the format's own
		{messages, "gpt-4o", []passport.Detail{detail("sandbox"), detail("openai")}, "sandbox"},                                            // else the first
		{chat, "claude-sonnet-4-5", []passport.Detail{detail("anthropic", "claude-opus-4-5"), detail("openai")}, "openai"},                 // a price that is not granted is none
		{chat, "google/gemini-2.5-flash", []passport.Detail{detail("openai")}, "does not cover provider google"},                           // known, not granted
		{messages, "nobody/knows", []passport.Detail{detail("openai"), detail("anthropic")}, "anthropic"},                                  // nothing known: the format's own
		{proxy, "nobody/knows", []passport.Detail{detail("openai"), detail("anthropic")}, "openai"},                                        // else the first detail's
		{chat, "nothing", []passport.Detail{detail("anthropic")}, "does not cover provider openai"},                                        // which may not be granted
		{proxy, "anthropic/claude-sonnet-4-5", []passport.Detail{detail("openai"), detail("anthropic", "claude-sonnet-4-5")}, "anthropic"}, // the same table
	} {
		balance := passport.Balance{CallsCap: 10, Cap: passport.Dollar}
		s = passport.Standing{Grant: passport.Grant{ID: "g", State: passport.GrantActive, Details: c.details}, Total: balance}
		for range c.details {
			s.Details = append(s.Details, balance)
		}
		req, err := http.NewRequest("POST", srv.URL+c.path, strings.NewReader(`{"model":"`+c.model+`","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer x"}, "Content-Type": {"application/json"}}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		res.Body.Close()
		want := c.want
		if !strings.Contains(want, " ") {
			want = "for provider '" + want + "'"
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("%s at %s for %v: %s, want %s", c.model, c.path, c.details, got, c.want)
		}
	}
}
