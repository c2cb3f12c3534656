package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/guard/token"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// Names of the headers in which every answer tells what is left, in the one spelling that http.Header has (textproto.CanonicalMIMEHeaderKey).
const (
	HeaderBudget = "Aipassport-Budget-Remaining-Micro-Usd"
	HeaderCalls  = "Aipassport-Calls-Remaining"
	HeaderCost   = "Aipassport-Cost-Micro-Usd" // of this call, where it is known before the answer starts
	HeaderCall   = "Aipassport-Call"           // id of the reservation
	HeaderUpID   = "Aipassport-Provider-Request-Id"
)

// call is the scratch of one call on its way. One goroutine uses it.
type call struct {
	g   *Gateway
	w   http.ResponseWriter
	r   *http.Request
	e   endpoint
	rec *record.Record

	asked    bool // who it is; those below are the answer
	shown    token.Shown
	pass     token.Passport
	key      passport.TokenID // the token or SDK key, which can be revoked by itself
	standing passport.Standing
	stranger error  // no good token
	revoked  uint64 // recall.Board.KeysRevoked before it was asked

	seed   []byte          // body of /proxy/chat
	model  string          // that it names
	wants  *passport.Call  // once it is read
	native dialect.Dialect // that the provider speaks: the caller's own, until the grant and the model say another
	turned *tap.Turned     // the answer's, if it goes on in another dialect than it came in
	raw    []byte          // the body, once read
	pool   *allowance      // that the body counts against
	taken  int64           // of it

	rsv     *meter.Reservation
	kept    *kept            // the answer, if it is to be kept
	why     passport.Outcome // how it ended, for the settle; until something leaves, not_sent
	usage   passport.Usage
	tap     dialect.Tap // of a stream, while it runs and all that came was read
	fresh   time.Time   // until when all that the provider had sent is known to have been read
	charged bool        // settled already
	started bool        // the answer's status line is out
	stream  bool        // the answer is a stream of events
	typ     string      // its Content-Type
	flushed bool        // something has been flushed, so that the answer has no length and can have trailers
	told    told        // values of headers
	flush   bool        // each piece goes out at once: a stream of events, Google's array of answers, or sound
}

// told is the values of headers that most answers have, each where its slice in the header lies, so that they are no allocation each.
type told struct{ left, calls, cost, call, typ, length, upstream [1]string }

// one is a header's value, kept in a place of told.
func one(place *[1]string, value string) []string {
	place[0] = value
	return place[:]
}

func (g *Gateway) begin(w http.ResponseWriter, r *http.Request, e endpoint) *call {
	if r.ProtoMajor > 1 {
		http.NewResponseController(w).SetWriteDeadline(time.Time{}) // there it ends the stream, even while nothing is written
	} // else each piece of an answer gets its own
	return &call{g: g, w: w, r: r, e: e, rec: record.From(r.Context()), native: e.dialect, why: passport.NotSent}
}

func (c *call) end() {
	// What is buffered still goes out after us, to a client that may not read it.
	http.NewResponseController(c.w).SetWriteDeadline(c.g.Now().Add(c.g.WriteTimeout))
	if c.pool != nil {
		c.pool.give(c.taken)
	}
	c.forget()
}

// identify says whose token it is and what its grant stands at. It asks once a call: /proxy/chat wants to know before it reads
// the body, and tells after.
func (c *call) identify() (token.Passport, passport.Standing, error) {
	if c.asked {
		return c.pass, c.standing, c.stranger
	}
	c.asked = true
	var err error
	if c.shown, err = c.e.credential(c.r); err == nil {
		c.revoked = c.g.Board.KeysRevoked()
		c.pass, c.standing, err = c.g.Tokens.Admit(c.r.Context(), c.shown)
	}
	if c.shown.DPoP {
		if nonce, nerr := c.g.Tokens.Nonce(); nerr == nil { // else Admit has said so already
			c.w.Header().Set("DPoP-Nonce", nonce) // RFC 9449 §8.2: so that no later call is refused for an old one
		}
	}
	if c.stranger = err; err == nil {
		c.known(c.standing)
	}
	if err == nil {
		c.key = c.pass.Token
	}
	if err == nil && c.pass.Key {
		c.rec.Key = c.pass.Token
	}
	return c.pass, c.standing, err
}

// watch puts the call on the board. If a token or an SDK key was revoked since identify, nobody could end the call then, and the hold looks at the
// grant only: so it asks again whether its own lives. Almost always that costs nothing.
func (c *call) watch(p token.Passport, g passport.Grant) (ctx context.Context, release func(), err error) {
	ctx, release = c.g.Board.WatchKey(c.r.Context(), p.Grant, c.key, earlier(p.ExpiresAt, g.ExpiresAt), g.Line()...)
	if c.key == "" || c.g.Board.KeysRevoked() == c.revoked {
		return ctx, release, nil
	}
	_, _, err = c.g.Tokens.Look(c.r.Context(), c.shown.Access) // its proof, if it needs one, is used up
	return ctx, release, err
}

// counted takes bytes of the allowance as they arrive: who announces much and sends nothing keeps nobody out.
type counted struct {
	c    *call
	body io.Reader
}

func (r counted) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if busy := r.c.pool.take(int64(n)); busy != nil {
		return 0, busy
	}
	r.c.taken += int64(n)
	return n, err
}

// body reads the request body whole, within its bounds of size and time. Only once.
func (c *call) body() ([]byte, error) {
	if c.raw != nil {
		return c.raw, nil
	}
	if enc := c.r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, problem.New(problem.UnsupportedMedia, "an encoded body (%.20q) is not taken: send it plain", enc)
	}
	if c.r.ContentLength > c.g.MaxBody {
		c.w.Header().Set("Connection", "close") // we will not read the rest
		return nil, tooLarge(c.g.MaxBody)
	}
	c.pool = c.g.bodies
	if _, _, err := c.identify(); err != nil {
		c.pool = c.g.strangers // /proxy/chat reads before it tells of a bad token
	}
	rc := http.NewResponseController(c.w)
	rc.SetReadDeadline(c.g.Now().Add(c.g.BodyTimeout))
	body, err := readAtMost(counted{c, http.MaxBytesReader(c.w, c.r.Body, c.g.MaxBody)}, math.MaxInt, c.r.ContentLength)
	if err != io.EOF {
		// The deadline stays: what is left of the body is not waited for either.
		c.w.Header().Set("Connection", "close")
		return nil, c.unread(err)
	}
	rc.SetReadDeadline(time.Time{}) // from here on the connection is watched for the client leaving, without an end
	c.raw = body
	return body, nil
}

// unread says why a body could not be read.
func (c *call) unread(err error) error {
	switch {
	case problem.KindOf(err) == problem.Busy:
		return err
	case isTooLarge(err):
		return tooLarge(c.g.MaxBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.New(problem.Invalid, "the body did not arrive within %s", c.g.BodyTimeout)
	default: // the client left, or its framing is wrong
		return problem.Wrap(err, problem.Invalid, "the body broke off")
	}
}

func tooLarge(most int64) error {
	return problem.New(problem.TooLarge, "the body is larger than %d bytes", most)
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[*http.MaxBytesError](err)
	return ok
}

// known notes whose call it is and tells what is left.
func (c *call) known(s passport.Standing) {
	c.standing, c.rec.Grant = s, s.Grant.ID
	c.tell(s.Total.Left(), s.Total.CallsLeft())
}

func (c *call) reserved(r *meter.Reservation, call passport.Call) {
	c.rsv, c.rec.Call, c.rec.Held = r, r.ID, r.Amount
	c.w.Header()[HeaderCall] = one(&c.told.call, string(r.ID))
	c.tell(r.Held.Left, r.Held.Total.CallsLeft())
	c.tellClamp(call)
}

func (c *call) tell(left passport.Money, calls int64) {
	h := c.w.Header()
	h[HeaderBudget] = one(&c.told.left, strconv.FormatInt(int64(left), 10))
	h[HeaderCalls] = one(&c.told.calls, strconv.FormatInt(calls, 10))
}

// settle ends the reservation with what is known by now, once.
func (c *call) settle() passport.Money {
	if c.charged {
		return c.rec.Charged
	}
	c.charged, c.rec.Why = true, c.why
	if c.tap != nil {
		seen := c.tap.Seen()
		seen.Unseen = c.g.Now().Sub(c.fresh)
		c.rec.Charged = c.rsv.Cut(c.r.Context(), c.why, seen)
	} else {
		c.rec.Charged = c.rsv.Settle(c.r.Context(), c.why, c.usage)
	}
	c.account()
	return c.rec.Charged
}

// account tells what the call cost and what is left after it: in the headers if they are not out yet, else in trailers, for a
// client that says it reads them (RFC 9110 §6.5.1). Events or comments of ours in a stream would be read by SDKs that don't
// know them.
func (c *call) account() {
	prefix := ""
	if c.started {
		if te := c.r.Header.Get("Te"); !strings.Contains(strings.ToLower(te), "trailers") {
			return
		}
		prefix = http.TrailerPrefix
	}
	held, calls := c.rsv.Held, c.rsv.Held.Total.CallsLeft()
	if c.why == passport.NotSent {
		calls++ // given back
	}
	h := c.w.Header()
	h[prefix+HeaderCost] = one(&c.told.cost, strconv.FormatInt(int64(c.rec.Charged), 10))
	h[prefix+HeaderBudget] = one(&c.told.left, strconv.FormatInt(int64(max(0, held.Left+c.rsv.Amount-c.rec.Charged)), 10))
	h[prefix+HeaderCalls] = one(&c.told.calls, strconv.FormatInt(calls, 10))
}

// refuse answers with an error of ours, in the shape of the caller's dialect, unless the answer has begun.
func (c *call) refuse(err error) {
	c.rec.Err = err
	if short, ok := errors.AsType[passport.Short](err); ok && c.standing.Grant.Payer.Member() == "" { // the limits are the owner's: a member's app is not told of them
		c.tell(min(short.Left, c.standing.Total.Left()), c.standing.Total.CallsLeft())
	}
	p := problem.From(err)
	r, asks := c.remedy(err)
	if !asks {
		r = remedy{}
	}
	for _, challenge := range c.challenges(err, r) {
		c.w.Header().Add("WWW-Authenticate", challenge)
	}
	if c.e.dialect == nil {
		if retry := dialect.Header(p).Get("X-Should-Retry"); retry != "" {
			c.w.Header().Set("X-Should-Retry", retry)
		}
		respond.Error(c.w, err)
		return
	}
	a := c.e.dialect.Problem(p, c.rec.ID)
	if asks {
		a.Body = r.into(a.Body)
	}
	c.write(a)
}

func (c *call) write(a dialect.Answer) {
	h := c.w.Header()
	for k, vs := range a.Header {
		h[k] = vs
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	http.NewResponseController(c.w).SetWriteDeadline(c.g.Now().Add(c.g.WriteTimeout))
	c.w.WriteHeader(a.Status)
	c.w.Write(a.Body)
}

// fail ends a call that went wrong after its reservation: the outcome for the settle, then an answer if none has begun, an
// error event at the end of a cut stream, or a connection that breaks, so that a cut answer never looks whole.
func (c *call) fail(ctx context.Context, err error) {
	c.rec.Err = err
	if problem.KindOf(err) == problem.ClientGone && c.why == passport.Broken {
		c.why = passport.ClientLeft
	}
	if cause := context.Cause(ctx); cause != nil && c.why != passport.NotSent {
		c.why = passport.Recalled
		if c.r.Context().Err() != nil {
			c.why = passport.ClientLeft
		}
		err = cause
	}
	c.settle()
	if c.started && !c.flushed { // its status was for the first piece to bring, and an answer that is not whole still has one
		rc := http.NewResponseController(c.w)
		rc.SetWriteDeadline(c.g.Now().Add(c.g.WriteTimeout))
		rc.Flush()
	}
	p := problem.From(err)
	switch {
	case !c.started:
		c.refuse(p)
	case c.stream && p.Kind != problem.ClientGone:
		http.NewResponseController(c.w).SetWriteDeadline(c.g.Now().Add(c.g.WriteTimeout))
		// Empty lines first: of an event that was cut, a piece has gone out that would swallow ours. With the line ends of the
		// dialect: Google's own Go client takes what lies before a mere \n\n for one event, however many \r\n\r\n are in it.
		event, blank := c.speaks().Cut(p), []byte("\n\n")
		if bytes.HasSuffix(event, []byte("\r\n\r\n")) {
			blank = []byte("\r\n\r\n")
		}
		c.w.Write(append(blank, event...))
	default:
		panic(http.ErrAbortHandler)
	}
}
