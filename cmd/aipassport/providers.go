package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/passport"
)

// maxProvidersFile bounds the file, in bytes.
const maxProvidersFile = 1 << 20

// providersFile is AIPASSPORT_PROVIDERS_FILE. Prices are dollars for a million model tokens, as text, so that none is rounded on the
// way; one that is left out is no price.
type providersFile struct {
	Providers []struct {
		Name    passport.Provider `json:"name"`
		Title   string            `json:"title"`
		Preset  passport.Preset   `json:"preset"`
		BaseURL string            `json:"base_url"`
		Local   *bool             `json:"local"`
		Auth    passport.Auth     `json:"auth"`
		KeyEnv  string            `json:"key_env"`
		Headers map[string]string `json:"headers"`
		Models  []struct {
			Model     string        `json:"model"`
			Kind      passport.Kind `json:"kind"`
			Input     *string       `json:"input"`
			Output    *string       `json:"output"`
			CacheRead *string       `json:"cache_read"`
			Context   int64         `json:"context"`
			MaxOutput int64         `json:"max_output"`
		} `json:"models"`
	} `json:"providers"`
}

// readProviders reads the file, strictly. No name of one: no providers. Errors name the provider and the member.
func readProviders(name string) ([]passport.Compatible, map[passport.Provider]string, error) {
	if name == "" {
		return nil, nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	if len(text) > maxProvidersFile {
		return nil, nil, fmt.Errorf("%s is larger than %d bytes", name, maxProvidersFile)
	}
	var f providersFile
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if dec.More() {
		return nil, nil, fmt.Errorf("%s: there is more than one JSON value", name)
	}
	if len(f.Providers) > passport.MaxCompatibles {
		return nil, nil, fmt.Errorf("%s: at most %d providers", name, passport.MaxCompatibles)
	}
	return f.compatibles()
}

func (f providersFile) compatibles() (out []passport.Compatible, keys map[passport.Provider]string, err error) {
	keys = map[passport.Provider]string{}
	for i, p := range f.Providers {
		bad := func(format string, args ...any) error {
			return fmt.Errorf("providers[%d] (%s): %w", i, p.Name, fmt.Errorf(format, args...))
		}
		if p.Preset == "" {
			p.Preset = passport.Other
		}
		info, ok := p.Preset.Info()
		if !ok {
			return nil, nil, bad("preset: %q is not known", p.Preset)
		}
		c := passport.Compatible{Name: p.Name, Title: orElse(p.Title, info.Title), Preset: p.Preset, Base: orElse(p.BaseURL, info.Base), Local: info.Local,
			Auth: passport.Auth(orElse(string(p.Auth), string(info.Auth)))}
		if p.Local != nil {
			c.Local = *p.Local
		}
		for name, value := range p.Headers {
			c.Headers = append(c.Headers, passport.Header{Name: name, Value: value})
		}
		slices.SortFunc(c.Headers, func(a, b passport.Header) int { return strings.Compare(a.Name, b.Name) })
		for _, m := range p.Models {
			t := passport.ModelTariff{Model: m.Model, Kind: m.Kind, Context: m.Context, MaxOutput: m.MaxOutput}
			if err := readPrices(&t, m.Input, m.Output, m.CacheRead); err != nil {
				return nil, nil, bad("models: %s: %w", m.Model, err)
			}
			c.Tariffs = append(c.Tariffs, t)
		}
		if err := c.Check(); err != nil {
			return nil, nil, bad("%w", err)
		}
		if slices.ContainsFunc(out, func(o passport.Compatible) bool { return o.Name == c.Name }) {
			return nil, nil, bad("name: is there twice")
		}
		if (p.KeyEnv == "") != (c.Auth == passport.AuthNone) {
			return nil, nil, bad("key_env: names the variable that holds the key, unless auth is none")
		}
		if p.KeyEnv != "" {
			keys[c.Name] = p.KeyEnv
		}
		out = append(out, c)
	}
	return out, keys, nil
}

// readPrices reads the texts of a model's prices. Nil is no price: only what is written as 0 is 0.
func readPrices(t *passport.ModelTariff, input, output, cached *string) error {
	if t.Kind == "" {
		t.Kind = passport.KindChat
	}
	read := func(name string, text *string) (passport.Price, error) {
		if text == nil {
			return 0, fmt.Errorf("%s: is missing (0 is written as \"0\")", name)
		}
		p, ok := passport.PriceFromDollars(*text)
		if !ok {
			return 0, fmt.Errorf("%s: %q is not dollars for a million model tokens, like \"0.15\"", name, *text)
		}
		return p, nil
	}
	var errs []error
	take := func(p passport.Price, err error) passport.Price {
		errs = append(errs, err)
		return p
	}
	t.Input = take(read("input", input))
	if t.Kind == passport.KindChat || output != nil {
		t.Output = take(read("output", output))
	}
	if cached != nil {
		t.CacheRead = passport.LimitOf(int64(take(read("cache_read", cached))))
	}
	return errors.Join(errs...)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
