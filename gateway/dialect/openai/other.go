package openai

import (
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/passport"
)

// Other is a server that speaks this dialect and is not OpenAI. What is put into its bodies is less: a member that it does not know could
// make it refuse the call. service_tier and store are left out; the output cap and the wish for usage are not, unless it tells its
// usage unasked.
type Other struct {
	Quirks passport.Quirks
	// Price is what a model costs for a million model tokens, for servers that take the highest price to pay with the call.
	Price func(model string) (input, output passport.Price, ok bool)
}

// NewOther is the dialect of chat completions as another server speaks it.
func NewOther(o Other) dialect.Dialect { return chat{other: &o} }

// place finds what has to be taken out of the body, which edits cannot tell without it.
func (r *request) place(body []byte) {
	if r.other != nil && r.other.Quirks.NoUsageOption && r.options.there() {
		r.dropped = []strict.Edit{without(body, r.options)}
	}
}

// without takes a member out, with the comma behind it, or the one before it if it is the last. There is another member: the model.
func without(body []byte, m span) strict.Edit {
	for i := m.to; i < len(body); i++ {
		switch body[i] {
		case ' ', '\t', '\r', '\n':
			continue
		case ',':
			return strict.Edit{At: m.from, Cut: i + 1 - m.from}
		}
		break
	}
	from := strings.LastIndexByte(string(body[:m.from]), ',')
	return strict.Edit{At: from, Cut: m.to - from}
}

// beside says whether reasoning is counted beside the completion.
func (r *request) beside() bool { return r.other != nil && r.other.Quirks.ThinkingBeside }

// priceEdit says that no seller may take more than the model costs here (openrouter.ai/docs/guides/routing/provider-selection, Max
// Price: dollars for a million model tokens). A seller's price for each image is not among what is held, so none may have one where
// there are images.
func (r *request) priceEdit() []strict.Edit {
	if r.other == nil || !r.other.Quirks.BoundByPrice {
		return nil
	}
	in, out, ok := r.other.Price(r.model)
	if !ok {
		return nil // and is refused for that, before it goes anywhere
	}
	dollars := func(p passport.Price) string { return strings.TrimPrefix(passport.Money(p).String(), "$") }
	image := ""
	if len(r.found.Images) > 0 {
		image = `,"image":0`
	}
	return []strict.Edit{{At: r.open, Text: `"provider":{"max_price":{"prompt":` + dollars(in) + `,"completion":` + dollars(out) + `,"request":0` + image + `}},`}}
}

// capName is what the output cap is called where the call goes.
func (r *request) capName() string {
	if r.other != nil {
		return r.other.Quirks.CapName
	}
	return capName(r.model)
}
