package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/devrelopers/aipassport/guard/repeat"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// HeaderReplayed says that an answer is that of an earlier call with the same Idempotency-Key: the name that Stripe gave it.
const HeaderReplayed = "Idempotent-Replayed"

// maxKeeping bounds the bytes of answers that are on their way and are to be kept. One that finds no room is not kept.
const maxKeeping = 64 << 20

// stillRunning is what a caller is told to wait while an earlier call with its key runs, whose answer will be kept.
const stillRunning = time.Second

// changing are the headers that make a call another one.
var changing = []string{HeaderClamp, "Anthropic-Version", "Anthropic-Beta"}

// claim reads the Idempotency-Key of a request. The zero Claim: it has none.
func (c *call) claim() (passport.Claim, error) {
	keys := c.r.Header.Values("Idempotency-Key")
	switch len(keys) {
	case 0:
		return passport.Claim{}, nil
	case 1:
	default:
		return passport.Claim{}, problem.New(problem.Invalid, "must be sent once").In("Idempotency-Key")
	}
	q := c.r.URL.Query()
	q.Del("key") // a credential
	parts := [][]byte{[]byte(c.r.Method), []byte(c.r.URL.EscapedPath()), []byte(q.Encode()), c.raw}
	for _, name := range changing {
		parts = append(parts, []byte(c.r.Header.Get(name)))
	}
	return c.g.Repeats.Claim(c.standing.Grant.ID, keys[0], parts...)
}

// again answers a call whose key an earlier one has, and says whether it did. Nothing is held or sent for it: the caller gets the
// earlier call's answer if that was kept, else a refusal that names the call and what it cost.
func (c *call) again(ctx context.Context, call *passport.Call) (answered bool) {
	claim, err := c.claim()
	if err == nil && claim.Set() {
		answered, err = c.earlier(ctx, claim)
	}
	if err != nil {
		c.refuse(err)
		return true
	}
	call.Claim = claim
	return answered
}

// unreserved answers a call that got no hold. Where another call with its key came in between, it is answered as one that came later.
func (c *call) unreserved(ctx context.Context, claim passport.Claim, refusal error) {
	switch problem.KindOf(refusal) {
	case problem.KeyUsed, problem.KeyReused:
		answered, err := c.earlier(ctx, claim)
		if answered {
			return
		}
		if refusal = err; err == nil { // the other has ended meanwhile, and left the key free
			refusal = problem.New(problem.KeyUsed, "another call had this Idempotency-Key a moment ago and has left it free").After(stillRunning)
		}
	}
	c.refuse(whyRefused(ctx, refusal))
}

// whyRefused prefers why the board ended a call to that the ledger did not answer it: the client is still there, and hears
// whether its grant has ended.
func whyRefused(ctx context.Context, refusal error) error {
	why, recalled := errors.AsType[*problem.Error](context.Cause(ctx))
	kind := problem.KindOf(refusal)
	if recalled && (kind == problem.ClientGone || kind == problem.Unavailable) {
		return why
	}
	return refusal
}

// earlier replays the answer of the call that has a key, or says why not. False and nil: no call has it.
func (c *call) earlier(ctx context.Context, claim passport.Claim) (bool, error) {
	e, err := c.g.Repeats.Earlier(ctx, c.standing.Grant.ID, claim)
	if problem.KindOf(err) == problem.NotFound {
		return false, nil
	}
	h := c.w.Header()
	if e.Call.ID != "" {
		h.Set(HeaderCall, string(e.Call.ID))
	}
	switch {
	case err != nil:
		return false, err
	case e.Call.State == passport.ReservationHeld:
		p := problem.New(problem.KeyUsed, "call %s, which has this Idempotency-Key, is still running", e.Call.ID)
		if c.standing.Grant.KeepAnswers {
			p = p.After(stillRunning)
		}
		return false, p
	}
	h.Set(HeaderCost, strconv.FormatInt(int64(e.Call.Actual), 10))
	if e.Answer == nil {
		return false, problem.New(problem.KeyUsed, "call %s, which has this Idempotency-Key, has ended (%s) and cost %s; its answer was not kept",
			e.Call.ID, e.Call.Why, e.Call.Actual)
	}
	c.rec.Call, c.rec.Provider, c.rec.Model = e.Call.ID, e.Call.Provider, e.Call.Model
	c.replay(*e.Answer)
	return true, nil
}

// replay sends a kept answer.
func (c *call) replay(a repeat.Answer) {
	h := c.w.Header()
	h.Set("Content-Type", a.Type)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.Stream {
		h.Set("X-Accel-Buffering", "no")
	}
	h.Set(HeaderReplayed, "true")
	h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	http.NewResponseController(c.w).SetWriteDeadline(c.g.Now().Add(c.g.WriteTimeout))
	c.start(http.StatusOK)
	c.w.Write(a.Body)
}

// kept is an answer on its way that is to be kept. nil: it is not.
type kept struct {
	body bytes.Buffer
	room *allowance
}

// keeping begins to keep the answer, where there is a key and the owner allows it.
func (c *call) keeping(claim passport.Claim) {
	if claim.Set() && c.standing.Grant.KeepAnswers {
		c.kept = &kept{room: c.g.keeping}
	}
}

// keep takes a piece of the answer. One that is too large, or for which there is no room, is not kept at all.
func (c *call) keep(p []byte) {
	if c.kept == nil {
		return
	}
	if c.kept.body.Len()+len(p) > repeat.MaxAnswer || c.kept.room.take(int64(len(p))) != nil {
		c.forget()
		return
	}
	c.kept.body.Write(p)
}

// forget lets go of what was kept.
func (c *call) forget() {
	if c.kept != nil {
		c.kept.room.give(int64(c.kept.body.Len()))
		c.kept = nil
	}
}

// store keeps a whole answer that ended well, before its last byte goes out: whoever has read it to its end and sends the call again finds
// it. If that fails, the answer goes out all the same, and a call with the same key is refused.
func (c *call) store(ctx context.Context) {
	if c.kept == nil || c.why != passport.Finished {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	err := c.g.Repeats.Keep(ctx, c.standing.Grant.ID, c.rsv.ID,
		repeat.Answer{Stream: c.stream, Type: c.w.Header().Get("Content-Type"), Body: c.kept.body.Bytes()})
	if err != nil && problem.KindOf(err) != problem.Forbidden { // Forbidden: the owner has just taken it back
		c.g.OnKeepError(err)
	}
	c.forget()
}

// storeTime bounds how long an answer's last byte waits for the answer to be kept.
const storeTime = 5 * time.Second
