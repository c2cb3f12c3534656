// Package anthropic is the dialect of Anthropic's messages (POST /v1/messages), of their counts and of the list of models. It translates that provider's bytes and nothing
// else: pure, no network, no clock, no store, no money.
//
// What may go through is on a list; every field on it is either bounded by what passport.Call says or costs nothing. Fields and
// their meaning: https://platform.claude.com/docs/en/api/messages and the parameter types of anthropic-sdk-go.
//
// What is put into a body that the caller left out, and why:
//   - service_tier "standard_only": the default, auto, draws on an organisation's priority capacity, which is bought apart and is
//     the owner's to spend, not an app's. auto is refused.
//   - max_uses in a web search: how often it may search.
//
// Not put in is inference_geo: models before Opus 4.6 answer 400 to it. Where a workspace's default makes inference run in the US
// only, which costs 1.1 times the price (page "Data residency"), the answer says so and its usage counts as unknown.
// Thinking is inside max_tokens (page "Extended thinking"), so the one cap bounds all output.
package anthropic

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

const path = "/v1/messages"

// DefaultVersion is sent as anthropic-version where the caller sent none.
const DefaultVersion = "2023-06-01"

type messages struct{}

// New is the dialect of messages.
func New() dialect.Dialect { return messages{} }

// Provider is Anthropic.
func (messages) Provider() passport.Provider { return passport.Anthropic }

// Read checks a request for a message, or for the count of one, strictly. Errors: Invalid with the field or header at fault.
func (messages) Read(in dialect.Input) (*dialect.Request, error) {
	for name := range in.Query {
		if name != "beta" { // the beta clients say ?beta=true, which changes nothing
			return nil, problem.New(problem.Invalid, "this endpoint takes no query parameters").In(dialect.Clean(name, dialect.MaxWord))
		}
	}
	if in.Method == CountTokens {
		return readCount(in)
	}
	r := &request{}
	if err := strict.Read(in.Body, r.read); err != nil { // before the headers: a thread has an error of its own
		return nil, err
	}
	header, err := headers(in.Header)
	if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	edits := r.edits()
	searches, _ := r.search.count()
	body := strict.Splice(in.Body, edits...)
	return &dialect.Request{
		Call: passport.Call{
			Provider: passport.Anthropic, Kind: passport.KindChat, Model: r.model, Uses: r.uses(), Stream: r.stream,
			BodyBytes: r.found.TextBytes(in.Body) + strict.Growth(edits), Parts: r.parts, Images: r.found.Images, Searches: searches, MaxOutput: r.max,
			MinOutput: r.leastOutput(), Choices: 1,
		},
		Path:   path,
		Header: header,
		Body: func(maxOutput int64) []byte {
			if asked, _ := r.max.Get(); maxOutput < asked {
				return strict.Splice(in.Body, append(r.edits(), strict.Slot{Edit: r.maxAt}.With(maxOutput))...)
			}
			return body
		},
		Tap: func() dialect.Tap { return tap.New(&answer{other: r.thinks, hour: r.hour}, false) },
	}, nil
}

// versions are dates.
var versions = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// betas are the beta features that change neither what a call may do nor what its tokens cost. All others are refused: some
// have prices of their own (fast-mode, context-1m), some bring hosted tools or stored objects.
var betas = map[string]bool{
	"prompt-caching-2024-07-31":                true,
	"max-tokens-3-5-sonnet-2024-07-15":         true,
	"output-128k-2025-02-19":                   true,
	"token-efficient-tools-2025-02-19":         true,
	"extended-cache-ttl-2025-04-11":            true,
	"interleaved-thinking-2025-05-14":          true,
	"fine-grained-tool-streaming-2025-05-14":   true,
	"model-context-window-exceeded-2025-08-26": true,
	"structured-outputs-2025-11-13":            true,
	"web-search-2025-03-05":                    true,
	"token-counting-2024-11-01":                true,
}

// threads begins the beta of message threads. It is left out, not refused: clients go on sending it after a thread was refused,
// and without a thread it does nothing.
const threads = "message-threads-"

// headers is what goes on of the caller's headers: the API's version, and betas from the list.
func headers(h http.Header) (http.Header, error) {
	version := h.Get("Anthropic-Version")
	switch {
	case len(h.Values("Anthropic-Version")) > 1 || version != "" && !versions.MatchString(version):
		return nil, problem.New(problem.Invalid, "must be one date, like %s", DefaultVersion).In("anthropic-version")
	case version == "":
		version = DefaultVersion
	}
	out := http.Header{"Anthropic-Version": {version}}
	var list []string
	for _, line := range h.Values("Anthropic-Beta") {
		for b := range strings.SplitSeq(line, ",") {
			b = strings.TrimSpace(b)
			if b == "" || strings.HasPrefix(b, threads) {
				continue
			}
			if !betas[b] {
				return nil, problem.New(problem.Invalid, "the beta %q is not priced, so it is not allowed", dialect.Clean(b, dialect.MaxWord)).In("anthropic-beta")
			}
			list = append(list, b)
		}
	}
	if len(list) > 0 {
		out.Set("Anthropic-Beta", strings.Join(list, ","))
	}
	return out, nil
}
