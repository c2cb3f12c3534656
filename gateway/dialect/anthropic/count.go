package anthropic

import (
	"slices"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// CountTokens is the Method of an Input that asks how many model tokens a message's prompt has (POST /v1/messages/count_tokens).
const CountTokens = "count_tokens"

// countMembers are the members of a message's body that a count takes too (type MessageCountTokensParams of anthropic-sdk-go). They are read as
// a message's are: what may not be in a message may not be counted.
var countMembers = []string{"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "output_format", "cache_control", "speed"}

// readCount reads a request for a count. It asks for nothing that costs, so nothing is put into its body.
func readCount(in dialect.Input) (*dialect.Request, error) {
	r := &request{}
	err := strict.Read(in.Body, func(b *strict.Reader) error {
		return b.Object(func(name string) error {
			if !slices.Contains(countMembers, name) && refused[name] == "" {
				return b.Refuse("unknown or not allowed in a count")
			}
			return r.member(b, name)
		})
	})
	if err != nil {
		return nil, err
	}
	header, err := headers(in.Header)
	if err != nil {
		return nil, err
	}
	if err := strict.Model(r.model); err != nil {
		return nil, err
	}
	if !r.messages {
		return nil, problem.New(problem.Invalid, "messages are required").In("messages")
	}
	return &dialect.Request{
		Call: passport.Call{
			Provider: passport.Anthropic, Kind: passport.KindCount, Model: r.model, Uses: []passport.Capability{passport.Chat},
			BodyBytes: int64(len(in.Body)), Choices: 1,
		},
		Path:   path + "/count_tokens",
		Header: header,
		Body:   func(int64) []byte { return in.Body },
		Tap:    func() dialect.Tap { return tap.New(&tap.Free{}, false) },
	}, nil
}
