package gateway

import (
	"strconv"

	"github.com/devrelopers/aipassport/guard/vault"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// Names of the headers about a lowered output cap: the caller's wish, and in the answer, where the cap was lowered, what was asked and
// what went upstream, in model tokens for one answer. In the one spelling that http.Header has.
const (
	HeaderClamp       = "Aipassport-Clamp-Output"
	HeaderOutputAsked = "Aipassport-Max-Output-Asked"
	HeaderOutput      = "Aipassport-Max-Output"
)

// permit is the gateway's, for this call; it notes which key will be lent for it, so that the hold is on that one's ceiling, and whether the
// call's output cap may be lowered.
func (c *call) permit(call *passport.Call) (int, error) {
	c.wants = call
	i, err := c.g.permit(c.standing, *call)
	if err == nil {
		var ok bool
		if call.Credential, ok = c.g.Vault.Pick(c.standing.Grant.Payer, call.Provider); !ok {
			err = vault.Missing(call.Provider)
		}
	}
	if err == nil {
		call.Clamp, err = c.clamps(c.standing.Grant.Details[i])
	}
	return i, err
}

// clamps says whether a call wants a lower output cap rather than a refusal where the money is short: as its header says, else as its
// grant does. The header alone is enough, since it can only take from the caller's own answer.
func (c *call) clamps(d passport.Detail) (bool, error) {
	values := c.r.Header.Values(HeaderClamp)
	switch {
	case len(values) == 0:
		return d.Clamps(), nil
	case len(values) == 1 && values[0] == "true":
		return true, nil
	case len(values) == 1 && values[0] == "false":
		return false, nil
	default:
		return false, problem.New(problem.Invalid, "must be true or false, once").In("AIPassport-Clamp-Output")
	}
}

// tellClamp tells of a cap that was lowered.
func (c *call) tellClamp(call passport.Call) {
	if asked, given := call.MaxOutput.Get(); given && c.rsv.MaxOutput < asked {
		c.w.Header().Set(HeaderOutputAsked, strconv.FormatInt(asked, 10))
		c.w.Header().Set(HeaderOutput, strconv.FormatInt(c.rsv.MaxOutput, 10))
	}
}
