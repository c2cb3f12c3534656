package meter

import (
	"context"
	"slices"
	"time"

	"github.com/devrelopers/aipassport/passport"
)

// cutPolicy is what is known of how a provider bills a stream whose connection ends before the answer does.
type cutPolicy struct {
	// stops: the provider stops soon after its caller has gone, and bills what it had made by then. Else it goes on to the end,
	// unseen, and may bill the whole output cap.
	stops bool
	// hides: what a reasoning model thinks is billed and does not come, and nothing in the stream says how long it thought.
	hides bool
}

// cutPolicies is the whole of it; a provider that is not here is charged the hold. None of the three documents what a stream costs
// that was cut. What there is:
//   - A reseller that pays all three lists OpenAI and Anthropic as providers whose processing and billing stop when the connection
//     closes, and Google's Gemini API as one that goes on and bills the complete response (openrouter.ai/docs/api-reference/streaming,
//     "Stream Cancellation"; there too: calls that are not streamed are billed in full).
//   - OpenAI does not tell the usage of a stream that is cut (API reference, stream_options.include_usage).
//   - Anthropic tells the input in message_start, and thinking in blocks of its own (page "Streaming Messages").
//   - Google says of its own client's abort that the service goes on and charges (googleapis.github.io/js-genai, abortSignal).
//
// That the first two stop is therefore an assumption; docs/design/ledger.md says what rests on it.
var cutPolicies = map[passport.Provider]cutPolicy{
	passport.OpenAI:    {stops: true, hides: true},
	passport.Anthropic: {stops: true},
	passport.Google:    {},
	passport.Sandbox:   {stops: true, hides: true}, // the demo's own
}

// What a provider that stops may have made of each answer without our seeing it, in model tokens: what was on its way, and what
// it made before it noticed that the connection was closed. Two seconds are allowed for that, besides the time in which nothing
// came or nobody read; 400 a second is more than the fast models of these providers make.
const (
	unseenPerSecond = 400
	unseenAlways    = 2 * unseenPerSecond
)

// Cut ends the reservation of a stream that was cut after bytes had left, by what was seen of it, and returns the charge. It is
// Settle otherwise: once, queued, not waited for.
func (r *Reservation) Cut(ctx context.Context, why passport.Outcome, seen passport.Seen) (charged passport.Money) {
	return r.end(ctx, func() passport.Settlement {
		s := r.settlement(why, seen.Usage)
		if r.cutOpen(why, seen) {
			s.Actual = max(min(r.Amount, r.cutCost(seen)), r.used(seen.Usage))
		}
		return s
	})
}

// cutOpen says whether less than the hold may be charged: one of the three ways in which a running stream is cut, an answer of
// which everything was understood, and no output that is counted without being seen.
func (r *Reservation) cutOpen(why passport.Outcome, seen passport.Seen) bool {
	policy, known := cutPolicies[r.call.Provider]
	cut := why == passport.ClientLeft || why == passport.Recalled || why == passport.Broken
	plain := seen.Plain && r.call.Stream && !slices.ContainsFunc(r.call.Uses, func(u passport.Capability) bool { return u != passport.Chat })
	return known && cut && plain && !r.m.c.CutCostsHold && !(policy.hides && r.price.Reasoning)
}

// cutCost is the most that the provider can have counted: the input as it told it, or else its bound, and the output that was
// seen and may have been made unseen, or the whole output cap.
func (r *Reservation) cutCost(seen passport.Seen) passport.Money {
	output := times(r.MaxOutput, r.call.Choices)
	if cutPolicies[r.call.Provider].stops {
		output = min(output, plus(max(seen.Bytes, 0), times(unseenTokens(seen.Unseen), r.call.Choices)))
	}
	if u := seen.Usage; u.Sane() && u.Input > 0 { // servers that do not know the input at the start say 0
		u.Output = max(u.Output, output)
		return r.price.Cost(u)
	}
	each := (output + r.call.Choices - 1) / r.call.Choices
	return r.price.WorstCase(r.call, each)
}

// unseenTokens is what one answer may have had that did not come.
func unseenTokens(unseen time.Duration) int64 {
	return plus(unseenAlways, times(max(unseen, 0).Milliseconds()+1, unseenPerSecond)/1000)
}

// used is the price of what the provider has said was used; nothing if it said nothing that can be, or that has a price.
func (r *Reservation) used(u passport.Usage) passport.Money {
	if !u.Sane() || !r.price.covers(u) {
		return 0
	}
	return min(r.price.Cost(u), passport.MaxMoney)
}
