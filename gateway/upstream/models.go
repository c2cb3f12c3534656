package upstream

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of a list of models.
const (
	listTime   = 10 * time.Second
	maxList    = 1 << 20 // bytes
	mostListed = 1000    // models
)

// Listed is a model that a key can reach, as its provider says it.
type Listed struct {
	Model     string
	Context   int64          // model tokens of input; 0: not said
	MaxOutput int64          // 0: not said
	Input     passport.Limit // micro-dollars for a million model tokens; absent: not said. What a provider says of prices is the owner's to judge
	Output    passport.Limit
}

// Models asks a provider which models a key can reach, by name. Providers do not bill that. Names that could not be sent back are left
// out. Errors: CredentialRefused; UpstreamFailed, also where the list is too long or none; UpstreamTimeout.
func (c *Client) Models(ctx context.Context, p passport.Provider, key secret.Text) ([]Listed, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listTime, problem.New(problem.UpstreamTimeout, "the provider did not list its models within %s", listTime))
	defer cancel()
	r := listOf(p)
	ans, err := c.Do(ctx, r, key)
	if err != nil {
		return nil, err
	}
	defer ans.Body.Close()
	if err := listRefused(p, ans.Status); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(ans.Body, maxList+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxList {
		return nil, problem.New(problem.UpstreamFailed, "the provider's list of models is longer than %d bytes", maxList)
	}
	return readList(text)
}

// listOf is the request for the list: of those that page it, the longest page.
func listOf(p passport.Provider) Request {
	r := Request{Provider: p, Method: http.MethodGet, Path: "/v1/models"}
	switch p {
	case passport.Anthropic:
		r.Path, r.Header = "/v1/models?limit=1000", http.Header{"Anthropic-Version": {"2023-06-01"}}
	case passport.Google:
		r.Path = "/v1beta/models?pageSize=1000"
	}
	return r
}

func listRefused(p passport.Provider, status int) error {
	switch {
	case status < 300:
		return nil
	case status == 401 || status == 403 || status == 400 && p == passport.Google:
		return problem.Wrap(passport.Answered(status), problem.CredentialRefused, "%s refused this key (status %d)", p.Title(), status)
	default:
		return problem.Wrap(passport.Answered(status), problem.UpstreamFailed, "%s answered with status %d", p.Title(), status)
	}
}

// listing is one entry in the words of all providers: OpenAI's id, Google's name, OpenRouter's pricing for one model token
// (openrouter.ai/docs/api-reference/models/get-models), Together's for a million (docs.together.ai/reference/models).
type listing struct {
	ID               string      `json:"id"`
	Name             string      `json:"name"`
	InputTokenLimit  json.Number `json:"inputTokenLimit"`
	OutputTokenLimit json.Number `json:"outputTokenLimit"`
	ContextLength    json.Number `json:"context_length"`
	Pricing          struct {
		Prompt, Completion any
		Input, Output      any
		Overrides          []struct{ Prompt, Completion any } // for longer prompts
	} `json:"pricing"`
}

func readList(text []byte) ([]Listed, error) {
	var whole struct{ Data, Models []listing }
	err := json.Unmarshal(text, &whole)
	entries := append(whole.Data, whole.Models...)
	if err != nil {
		err = json.Unmarshal(text, &entries) // Together's is a bare list
	}
	if err != nil {
		return nil, problem.Wrap(err, problem.UpstreamFailed, "the provider's list of models cannot be read")
	}
	var out []Listed
	for _, e := range entries {
		name := strings.TrimPrefix(cmp.Or(e.ID, e.Name), "models/")
		if name == "" || len(name) > passport.MaxModelName || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
			continue
		}
		l := Listed{Model: name, Context: size(cmp.Or(e.ContextLength, e.InputTokenLimit)), MaxOutput: size(e.OutputTokenLimit)}
		l.Input, l.Output = said(e.Pricing.Prompt, 1_000_000), said(e.Pricing.Completion, 1_000_000)
		if l.Input.IsZero() || l.Output.IsZero() {
			l.Input, l.Output = said(e.Pricing.Input, 1), said(e.Pricing.Output, 1)
		}
		for _, o := range e.Pricing.Overrides { // one price is kept for prompts of any length: the dearest
			l.Input, l.Output = dearer(l.Input, said(o.Prompt, 1_000_000)), dearer(l.Output, said(o.Completion, 1_000_000))
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Listed) int { return cmp.Compare(a.Model, b.Model) })
	out = slices.CompactFunc(out, func(a, b Listed) bool { return a.Model == b.Model })
	return out[:min(len(out), mostListed)], nil
}

// said is dollars for one of what a million times by gives, rounded up to micro-dollars. What is no price, or below 0, is not said.
func said(v any, times int64) passport.Limit {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case float64:
		b, _ := json.Marshal(v)
		text = string(b)
	}
	if text == "" || len(text) > 40 || strings.Trim(text, "0123456789.") != "" { // big.Rat would read 1p1000000 too
		return passport.Limit{}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || r.Sign() < 0 {
		return passport.Limit{}
	}
	r.Mul(r, big.NewRat(times*int64(passport.Dollar), 1))
	up := new(big.Int).Quo(new(big.Int).Add(r.Num(), new(big.Int).Sub(r.Denom(), big.NewInt(1))), r.Denom())
	if !up.IsInt64() || up.Int64() > int64(passport.MaxPrice) {
		return passport.Limit{}
	}
	return passport.LimitOf(up.Int64())
}

// dearer is the higher of two prices where both are said.
func dearer(a, b passport.Limit) passport.Limit {
	if a.IsZero() || b.Or(0) <= a.Or(0) {
		return a
	}
	return b
}

func size(n json.Number) int64 {
	v, err := n.Int64()
	if err != nil || v < 0 || v > passport.MaxTokens {
		return 0
	}
	return v
}
