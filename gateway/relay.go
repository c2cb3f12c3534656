package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/upstream"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

const (
	pieceBytes   = 4 << 10  // read at a time from a stream
	wholeBytes   = 64 << 10 // a JSON answer up to this is sent in one piece, with its cost in a header
	maxErrorBody = 64 << 10 // read of an upstream error
)

// exchange sends the call and relays the answer.
func (c *call) exchange(ctx context.Context, req *dialect.Request, key secret.Text) error {
	c.rec.Provider, c.rec.Model, c.rec.Stream = req.Call.Provider, req.Call.Model, req.Call.Stream
	ans, err := c.g.Upstream.Do(ctx, upstream.Request{
		Provider: req.Call.Provider, Path: req.Path, Header: req.Header, Type: req.Type, Body: req.Body(c.rsv.MaxOutput),
		Stream: req.Call.Stream, Accept: req.Answers,
	}, key)
	if err != nil {
		if ue, ok := errors.AsType[*upstream.Error](err); ok && ue.Sent {
			c.why = passport.Broken // it may have been billed
		}
		return err
	}
	defer ans.Body.Close()
	c.why = passport.Broken // until we know better
	c.rec.Upstream = requestID(ans.Header)
	if ans.Status < 200 || ans.Status > 299 {
		return c.refusedUpstream(ans)
	}
	if err := c.typed(ans.Header.Get("Content-Type"), req.Answers); err != nil {
		c.why = passport.NoUsage
		return err
	}
	c.flush = c.stream || req.Call.Stream || strings.HasPrefix(c.typ, "audio/")
	if c.flush {
		return c.relayStream(ctx, ans, req.Tap())
	}
	return c.relayWhole(ctx, ans, req.Tap())
}

// typed notes what kind of answer comes: JSON, a stream of events, or one of the types that the call may be answered with besides.
func (c *call) typed(contentType string, others []string) error {
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	media = strings.TrimSpace(media)
	switch {
	case media == "text/event-stream":
		c.stream, c.typ = true, "text/event-stream; charset=utf-8"
	case media == "application/json":
		c.typ = media
	case slices.Contains(others, media):
		c.typ = media
		if strings.HasPrefix(media, "text/") {
			c.typ += "; charset=utf-8"
		}
	default:
		return problem.New(problem.UpstreamFailed, "the provider answered with %.60q instead of %s", contentType, strings.Join(append([]string{"JSON"}, others...), ", "))
	}
	return nil
}

// refusedUpstream passes a provider's error on with its status, type, code and Retry-After. When the owner's key was
// refused, that is not the caller's 401.
func (c *call) refusedUpstream(ans *upstream.Answer) error {
	body, err := io.ReadAll(io.LimitReader(ans.Body, maxErrorBody))
	if err != nil && len(body) == 0 {
		return err
	}
	c.why = passport.ProviderError // providers do not bill these
	if ans.Status >= 500 && c.g.Charge5xx {
		c.why = passport.NoUsage
	}
	up := c.native.ReadError(ans.Status, body)
	switch {
	case ans.Status < 400:
		return problem.New(problem.UpstreamFailed, "the provider answered %d, which is not followed", ans.Status)
	case up.Status == http.StatusUnauthorized || up.Status == http.StatusForbidden:
		return problem.New(problem.CredentialRefused, "the provider refused the owner's key for %s", c.rec.Provider.Title())
	}
	c.settle()
	c.head(ans)
	if ra := ans.Header.Get("Retry-After"); ra != "" && len(ra) < 40 {
		c.w.Header().Set("Retry-After", ra)
	}
	c.started = true
	c.rec.Err = problem.New(problem.UpstreamFailed, "provider error %d %s %s", up.Status, up.Type, up.Code)
	c.write(c.upstreamError(up))
	return nil
}

// relayStream copies an answer as it comes. Each piece goes out at once.
func (c *call) relayStream(ctx context.Context, ans *upstream.Answer, tap dialect.Tap) error {
	c.head(ans)
	h := c.w.Header()
	h.Set("Content-Type", c.typ)
	h.Set("X-Accel-Buffering", "no") // reverse proxies must not gather the events
	c.start(http.StatusOK)
	if !ans.Begun { // else it goes out with the first piece
		rc := http.NewResponseController(c.w)
		rc.SetWriteDeadline(c.g.Now().Add(c.g.WriteTimeout))
		err := rc.Flush()
		c.written(rc)
		if err != nil {
			return clientGone(err)
		}
		c.flushed = true
	}
	c.tap, c.fresh = tap, c.g.Now() // from here on a cut costs what was seen
	if err := c.copy(ctx, ans.Body, tap); err != nil {
		return err
	}
	rest, usage := tap.End()
	if !tap.Seen().Whole {
		return errNotWhole
	}
	if !c.charged {
		c.finish(usage)
		c.settle()
	}
	if err := c.unturned(); err != nil {
		return err
	}
	c.keep(rest)
	c.store(ctx)
	return c.send(rest)
}

// relayWhole sends a JSON answer. A usual one fits in one piece and tells its cost; a larger one goes out as it comes.
func (c *call) relayWhole(ctx context.Context, ans *upstream.Answer, tap dialect.Tap) error {
	whole, err := readAtMost(ans.Body, wholeBytes, ans.Length)
	if err != nil && err != io.EOF {
		return err
	}
	out, tapErr := tap.Pass(whole)
	if tapErr != nil {
		c.why = passport.NoUsage
		return tapErr
	}
	c.head(ans)
	c.w.Header()["Content-Type"] = one(&c.told.typ, c.typ)
	if err != io.EOF {
		c.start(ans.Status)
		if err := c.send(out); err != nil {
			return err
		}
		if err := c.copy(ctx, ans.Body, tap); err != nil {
			return err
		}
		rest, usage := tap.End()
		if !usage.Known && !tap.Seen().Whole {
			return errNotWhole
		}
		c.finish(usage)
		c.settle()
		if err := c.unturned(); err != nil {
			return err
		}
		c.keep(rest)
		c.store(ctx)
		return c.send(rest)
	}
	if len(out) > 0 && &out[0] != &whole[0] {
		out = bytes.Clone(out) // the tap's own, which End may change
	}
	rest, usage := tap.End()
	if !usage.Known && !tap.Seen().Whole {
		return errNotWhole
	}
	out = append(out, rest...)
	c.finish(usage)
	c.settle() // queued before the client can ask what it has left
	if err := c.unturned(); err != nil {
		return err
	}
	c.w.Header()["Content-Length"] = one(&c.told.length, strconv.Itoa(len(out)))
	c.keep(out)
	c.store(ctx)
	c.start(ans.Status)
	return c.send(out)
}

// readAtMost reads until r ends, which it says with io.EOF, or most bytes are there. likely is how many there will be, -1 if that is
// not known: with it the bytes are not copied while they grow.
func readAtMost(r io.Reader, most int, likely int64) ([]byte, error) {
	size := int64(4 << 10)
	if likely >= 0 {
		size = min(likely, wholeBytes) + 1 // room to see the end; who announces much and sends nothing takes little
	}
	b := make([]byte, 0, size)
	for len(b) < most {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):min(cap(b), most)])
		b = b[:len(b)+n]
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

var errNotWhole = problem.New(problem.UpstreamFailed, "the provider's answer is not whole")

// copy reads until the provider's end and passes on what the tap lets through.
func (c *call) copy(ctx context.Context, body io.Reader, tap dialect.Tap) error {
	piece := make([]byte, pieceBytes)
	asked := c.g.Now()
	for {
		n, err := body.Read(piece)
		if n > 0 {
			c.caughtUp(asked, n)
			seen := c.tap
			c.tap = nil // what the tap cannot read costs the hold
			out, tapErr := tap.Pass(piece[:n])
			if tapErr != nil {
				return tapErr
			}
			c.tap = seen
			if u, over := tap.Over(); over && !c.charged {
				c.finish(u)
				c.settle() // queued before the client can ask what it has left
			}
			if err := c.piece(out, c.flush && !(c.flushed && err == io.EOF)); err != nil { // the end goes out with the mark behind it
				return err
			}
		}
		if err == io.EOF {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		asked = c.g.Now()
	}
}

// A read that had to wait this long, and then got less than it could take, found nothing of the answer waiting: all that the
// provider had sent until then was read.
const waited = 2 * time.Millisecond

// caughtUp notes when that was last so. A client that reads slowly leaves ever more of the answer unread, in buffers where it was
// made and will be billed.
func (c *call) caughtUp(asked time.Time, n int) {
	if now := c.g.Now(); n < pieceBytes && now.Sub(asked) >= waited {
		c.fresh = now
	}
}

// send writes one piece within its time and flushes it.
func (c *call) send(p []byte) error { return c.piece(p, c.flush) }

func (c *call) piece(p []byte, flush bool) error {
	if len(p) == 0 {
		return nil
	}
	c.keep(p)
	rc := http.NewResponseController(c.w)
	rc.SetWriteDeadline(c.g.Now().Add(c.g.WriteTimeout))
	defer c.written(rc)
	if _, err := c.w.Write(p); err != nil {
		return clientGone(err)
	}
	if !flush {
		return nil
	}
	if err := rc.Flush(); err != nil {
		return clientGone(err)
	}
	c.flushed = true
	return nil
}

// written takes the time limit of a write away where it would end the stream later: over HTTP/2 also while nothing is written. Over
// HTTP/1 it only ever ends writes, of which each has its own.
func (c *call) written(rc *http.ResponseController) {
	if c.r.ProtoMajor > 1 {
		rc.SetWriteDeadline(time.Time{})
	}
}

func clientGone(err error) error {
	return problem.Wrap(err, problem.ClientGone, "the client does not read the answer")
}

// finish notes the usage of an answer that ended well.
func (c *call) finish(u passport.Usage) { c.why, c.usage, c.tap = passport.Finished, u, nil }

func (c *call) start(status int) {
	c.started = true
	c.w.WriteHeader(status)
}

// Values that all answers share; nobody changes them in place.
var noStore, noSniff = []string{"no-store"}, []string{"nosniff"}

// head sets the headers of an answer. Of the provider's own only the request id goes on: cookies, rate limits and
// organisation names of the owner's account are not the app's.
func (c *call) head(ans *upstream.Answer) {
	h := c.w.Header()
	h["Cache-Control"], h["X-Content-Type-Options"] = noStore, noSniff
	if id := requestID(ans.Header); id != "" {
		h[HeaderUpID] = one(&c.told.upstream, id)
	}
}

// requestID is the provider's own id of the request, if it looks like one.
func requestID(h http.Header) string {
	for _, k := range []string{"X-Request-Id", "Request-Id", "X-Goog-Request-Id"} {
		v := h.Get(k)
		if v != "" && len(v) <= 100 && strings.IndexFunc(v, func(r rune) bool { return r < '!' || r > '~' }) < 0 {
			return v
		}
	}
	return ""
}
