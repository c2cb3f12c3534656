package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// target is a model that an SDK asks for.
type target struct {
	provider, model string
	paths           string // where its provider is called
}

var targets = map[string]target{
	"openai":    {"openai", "gpt-4o-mini", "/v1/"},
	"anthropic": {"anthropic", "claude-sonnet-4-5", "/v1/messages"},
	"google":    {"google", "gemini-2.5-flash", "/v1beta/models/"},
}

// client is one SDK as an app uses it.
type client struct {
	name    string // in the suites
	shown   string
	surface string // the base URL below the broker's
	targets []string
}

var every = []string{"openai", "anthropic", "google"}

var clients = []client{
	{"openai-go", "`openai-go/v3`", "/v1", every},
	{"openai-js", "`openai`", "/v1", every},
	{"ai-openai", "`@ai-sdk/openai`", "/v1", every},
	{"ai-compatible", "`@ai-sdk/openai-compatible`", "/v1", every},
	{"anthropic-go", "`anthropic-sdk-go`", "/anthropic", every},
	{"anthropic-js", "`@anthropic-ai/sdk`", "/anthropic", every},
	{"ai-anthropic", "`@ai-sdk/anthropic`", "/anthropic", every},
	{"genai-go", "`google.golang.org/genai`", "/google", []string{"google"}},
	{"genai-js", "`@google/genai`", "/google", []string{"google"}},
	{"ai-google", "`@ai-sdk/google`", "/google", []string{"google"}},
}

// feature is one row of the tables.
type feature struct{ name, shown string }

var features = []feature{
	{"unary", "whole answer"},
	{"sdk-key", "whole answer with an SDK key (`aip_...`) instead of a token"},
	{"stream", "stream"},
	{"tools", "tools, results given back"},
	{"stream-tools", "tools in a stream"},
	{"structured", "structured output"},
	{"images-in", "image in the prompt"},
	{"embeddings", "embeddings"},
	{"image-generation", "image generation"},
	{"speech", "speech"},
	{"transcription", "transcription"},
	{"responses", "responses"},
	{"stream-responses", "responses in a stream"},
	{"responses-tools", "tools on responses, results given back, with `store: false`"},
	{"responses-structured", "structured output on responses"},
	{"models", "list of models"},
	{"count-tokens", "count of tokens"},
	{"error-400", "400 of the provider is the SDK's bad request"},
	{"error-refused", "400 of the broker likewise: a model without a price"},
	{"error-401", "401 is its authentication error"},
	{"error-403", "403 is its permission error"},
	{"error-404", "404 is its not found"},
	{"error-409", "409 is its conflict"},
	{"error-422", "422 is its unprocessable entity"},
	{"error-429", "429 of the provider is its rate limit error"},
	{"error-rate", "429 of the grant's own rate, with Retry-After"},
	{"error-spent", "429 for spent calls, asked exactly once"},
	{"error-500", "500 is its server error"},
	{"error-529", "529 (overloaded) is its server error, 503 where OpenAI's surface has another provider's"},
	{"retry", "tries again by itself after a 500"},
	{"mid-stream-error", "error in the middle of a stream is raised"},
	{"revoked", "revoked in the middle of a stream: an error is raised"},
	{"abort", "abort cuts the provider, and is metered"},
	{"parallel", "30 calls at once"},
}

// none says why a cell does not apply, or "".
func none(c client, target, feature string) string {
	for _, r := range reasons {
		if (r.features == "" || slices.Contains(strings.Fields(r.features), feature)) && (r.clients == "" || slices.Contains(strings.Fields(r.clients), c.name)) &&
			(r.targets == "" || slices.Contains(strings.Fields(r.targets), target)) && (r.surface == "" || r.surface == c.surface) {
			return r.why
		}
	}
	return ""
}

// onResponses are the features of one route, which OpenAI's surface has for OpenAI's own models.
const onResponses = "responses stream-responses responses-tools responses-structured"

// reasons tell why cells do not apply. What is empty fits all.
var reasons = []struct{ features, clients, targets, surface, why string }{
	{features: "count-tokens", surface: "/v1", why: "OpenAI's chat surface has no count of tokens"},
	{features: "models count-tokens", clients: "ai-openai ai-compatible ai-anthropic ai-google", why: "the AI SDK has no such call"},
	{features: "embeddings", surface: "/anthropic", why: "Anthropic has no embeddings"},
	{features: "embeddings", targets: "anthropic", why: "Anthropic has no embeddings"},
	{features: "image-generation", surface: "/anthropic", why: "Anthropic makes no images"},
	{features: "count-tokens", surface: "/anthropic", targets: "openai google", why: "tokens are counted for Anthropic's own models only"},
	{features: "image-generation", targets: "anthropic google", why: "images are made by OpenAI's models only"},
	{features: "speech transcription", surface: "/anthropic", why: "Anthropic has no speech and no transcriptions"},
	{features: "speech transcription", surface: "/google", why: "Google has no such routes"},
	{features: "speech transcription", clients: "ai-compatible", why: "this SDK has no speech and no transcriptions"},
	{features: "speech transcription", targets: "anthropic google", why: "sound is made and written down by OpenAI's models only"},
	{features: onResponses, surface: "/anthropic", why: "responses are OpenAI's"},
	{features: onResponses, surface: "/google", why: "responses are OpenAI's"},
	{features: onResponses, clients: "ai-compatible", why: "this SDK speaks chat completions only"},
	{features: onResponses, targets: "anthropic google", why: "responses are for OpenAI's own models; ask for others by chat completions or messages"},
}

// gap is a cell that does not work, or that nothing shows yet, with the reason. A gap that works fails the run.
type gap struct{ clients, targets, features, why string }

func gapOf(c cell) (gap, bool) {
	for _, g := range gaps {
		if fits(g.clients, c.Client) && fits(g.targets, c.Target) && fits(g.features, c.Feature) {
			return g, true
		}
	}
	return gap{}, false
}

func fits(names, name string) bool {
	return names == "" || slices.Contains(strings.Fields(names), name)
}

// known says why a cell does not apply, or nothing. It is an error for one that has no place in the tables.
func known(c cell) (why string, err error) {
	i := slices.IndexFunc(clients, func(k client) bool { return k.name == c.Client })
	if i < 0 || !slices.Contains(clients[i].targets, c.Target) || !slices.ContainsFunc(features, func(f feature) bool { return f.name == c.Feature }) {
		return "", fmt.Errorf("%s is no cell", c)
	}
	return none(clients[i], c.Target, c.Feature), nil
}

// against is what a suite must fail with: what went wrong, unless it is known, and a gap that is none any more.
func against(r row) string {
	g, isGap := gapOf(r.cell)
	switch {
	case isGap && r.OK:
		return fmt.Sprintf("%s works now: take it out of the gaps", r.cell)
	case isGap:
		fmt.Printf("gap: %s: %s: %.200q\n", r.cell, g.why, r.Why)
		return ""
	case !r.OK:
		return r.Why
	}
	return ""
}

const head = `# The official SDKs

Generated by ` + "`make sdk`" + ` from runs of the SDKs against the built broker, with a fake provider behind it that checks what it gets. Do not edit.
Each "yes" was seen: the SDK's own types and error classes hold, the provider got a request that its reference allows, with the owner's key and
nothing of the app's, and the bill was charged to the micro-dollar (what was cut: no less than the bill).

`

// render makes the page of what was seen. It is an error if a cell is missing.
func render(rows []row) ([]byte, error) {
	byCell, versions := map[cell]row{}, map[string]string{}
	for _, r := range rows {
		if _, twice := byCell[r.cell]; twice {
			return nil, fmt.Errorf("%s was run twice", r.cell)
		}
		if v := versions[r.Client]; r.Version == "" || v != "" && v != r.Version {
			return nil, fmt.Errorf("%s tells the versions %q and %q", r.cell, v, r.Version)
		}
		byCell[r.cell], versions[r.Client] = r, r.Version
	}
	var b strings.Builder
	b.WriteString(head)
	var notes notes
	for _, surface := range []struct{ base, title string }{{"/v1", "OpenAI's surface"}, {"/anthropic", "Anthropic's surface"}, {"/google", "Google's surface"}} {
		for _, t := range every {
			var columns []client
			for _, c := range clients {
				if c.surface == surface.base && slices.Contains(c.targets, t) {
					columns = append(columns, c)
				}
			}
			if columns == nil {
				continue
			}
			fmt.Fprintf(&b, "## %s with %s\n\n| `%s` |", surface.title, targets[t].model, surface.base)
			for _, c := range columns {
				fmt.Fprintf(&b, " %s %s |", c.shown, versions[c.name])
			}
			b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
			for _, f := range features {
				line, err := cells(byCell, columns, t, f, &notes)
				if err != nil {
					return nil, err
				}
				fmt.Fprintf(&b, "| %s |%s\n", f.shown, line)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString(notes.list())
	return []byte(b.String()), nil
}

func cells(byCell map[cell]row, columns []client, target string, f feature, notes *notes) (string, error) {
	var b strings.Builder
	for _, c := range columns {
		key := cell{c.name, f.name, target}
		r, seen := byCell[key]
		why := none(c, target, f.name)
		g, isGap := gapOf(key)
		switch {
		case why != "" && !seen:
			fmt.Fprintf(&b, " - %s |", notes.number(why))
		case why != "":
			return "", fmt.Errorf("%s is no cell that applies, and was seen", key)
		case seen && r.OK && !isGap:
			b.WriteString(" yes |")
		case seen && !r.OK && isGap:
			fmt.Fprintf(&b, " **no** %s |", notes.number(g.why))
		case !seen:
			return "", fmt.Errorf("no suite has shown %s", key)
		default:
			return "", fmt.Errorf("%s: ok is %v, and it is a gap: %v", key, r.OK, isGap)
		}
	}
	return b.String(), nil
}

// notes are the reasons below the tables, in order of their first use.
type notes []string

func (n *notes) number(why string) string {
	i := slices.Index(*n, why)
	if i < 0 {
		*n = append(*n, why)
		i = len(*n) - 1
	}
	return fmt.Sprintf("(%d)", i+1)
}

func (n notes) list() string {
	var b strings.Builder
	for i, why := range n {
		fmt.Fprintf(&b, "%s%d. %s\n", cmp.Or(map[bool]string{true: "## Why not\n\n"}[i == 0], ""), i+1, why)
	}
	return b.String()
}
