package fakeprovider

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ServeHTTP checks, records, bills and answers one request.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	a, ok := route(r)
	req := &Request{Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Host: r.Host, Header: r.Header.Clone(), Body: body,
		ContentLength: r.ContentLength, Peer: r.RemoteAddr, ended: make(chan struct{})}
	defer f.tell()
	defer close(req.ended)
	if !ok {
		req.Wrong = append(req.Wrong, "no provider has this path")
		f.record(req)
		fail(w, openAI, http.StatusNotFound, "Not Found")
		return
	}
	req.Wrong = f.check(a, r, body, readErr)
	if err := a.fill(body); err != nil && !a.list {
		req.Wrong = append(req.Wrong, "the body is no JSON: "+err.Error())
	}
	req.Model = a.model
	f.record(req)
	key := keyIn(a.dialect, r)
	if want := f.key(a.dialect); key == "" || want != "" && key != want {
		fail(w, a.dialect, http.StatusUnauthorized, "Incorrect API key provided: "+key+". You can find your API key at your account page.")
		return
	}
	b := Behaviour{}
	if !a.list {
		b = f.choose(body)
	}
	if (answer{f, req, w, a, b, key}).give(r.Context()) {
		req.finish()
	}
}

// check says what is wrong with a request, apart from a wrong key.
func (f *Fake) check(a ask, r *http.Request, body []byte, readErr error) []string {
	var wrong []string
	say := func(bad bool, what string) {
		if bad {
			wrong = append(wrong, what)
		}
	}
	say(readErr != nil, "the body broke off")
	found := credentials(r)
	name := credentialName(a.dialect)
	say(found[name] == "", "no credential in "+name)
	for other := range found {
		say(other != name, "a credential in "+other+" too")
	}
	say(len(r.Header.Values(name)) > 1, "more than one "+name)
	say(a.dialect == openAI && !strings.HasPrefix(found[name], "Bearer "), "Authorization is no Bearer")
	say(a.dialect == anthropic && r.Header.Get("Anthropic-Version") == "", "no anthropic-version")
	say(len(r.TransferEncoding) > 0, "Transfer-Encoding: "+strings.Join(r.TransferEncoding, ", "))
	ae := r.Header.Get("Accept-Encoding")
	say(ae != "" && ae != "identity", "Accept-Encoding: "+ae)
	if a.list {
		return wrong
	}
	say(r.Header.Get("Content-Length") != "" && r.Header.Get("Content-Length") != strconv.Itoa(len(body)) || r.ContentLength != int64(len(body)), "no Content-Length of the body")
	ct, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	form := a.op.formed()
	say(ct != "application/json" && !form || form && ct != "multipart/form-data", "Content-Type: "+ct)
	say(!form && !json.Valid(body), "the body is no JSON")
	say(!form && !utf8.Valid(body), "the body is no UTF-8")
	slices.Sort(wrong)
	return wrong
}

// answer is one answer being given.
type answer struct {
	f   *Fake
	req *Request
	w   http.ResponseWriter
	ask ask
	b   Behaviour
	key string
}

// give answers, and says whether it came to the end.
func (an answer) give(ctx context.Context) bool {
	if an.ask.list {
		an.w.Header().Set("Content-Type", "application/json")
		io.WriteString(an.w, models(an.ask.dialect))
		return true
	}
	pieces := an.b.pieces(an.key)
	tokens := an.b.tokens(an.ask, int64(len(an.req.Body)), len(pieces))
	told := tokens
	if an.ask.op == opCount {
		tokens = Tokens{}
	}
	if an.b.Status < 300 && !an.b.Drop {
		an.req.bill(Tokens{Input: tokens.Input})
	}
	if an.b.Worst && !(an.b.Stops && an.ask.stream) {
		an.req.bill(tokens)
	}
	if !wait(ctx, an.b.BeforeHeaders) {
		return false
	}
	if an.b.Drop {
		panic(http.ErrAbortHandler)
	}
	for name, values := range an.b.Header {
		for _, v := range values {
			an.w.Header().Add(name, strings.ReplaceAll(v, "{key}", an.key))
		}
	}
	if an.b.Status != 0 || an.b.Body != "" {
		return an.raw()
	}
	rep := reply{ask: an.ask, model: an.ask.model, id: "fake" + strconv.Itoa(an.req.Number), text: pieces, choices: an.ask.choices, asked: an.ask.includeUsage,
		finish: "stop", tokens: told, usage: an.b.RawUsage, tools: an.b.Tools}
	if an.b.NoUsage {
		rep.usage = "-"
	}
	an.header("Content-Type", an.ask.contentType())
	an.header("X-Request-Id", "req_upstream_"+strconv.Itoa(an.req.Number))
	if !an.ask.stream {
		an.req.bill(tokens)
		an.body(rep.unary(an.ask.dialect))
		return true
	}
	return an.stream(ctx, rep)
}

func (an answer) header(name, value string) {
	if an.w.Header().Get(name) == "" {
		an.w.Header().Set(name, value)
	}
}

// raw sends a status and a body that the test wrote.
func (an answer) raw() bool {
	status := an.b.Status
	if status == 0 {
		status = http.StatusOK
	}
	body := strings.ReplaceAll(an.b.Body, "{key}", an.key)
	if body == "" && status >= 400 {
		body = errorBody(an.ask.dialect, status, "the fake provider was told to answer "+strconv.Itoa(status))
	}
	an.header("Content-Type", "application/json")
	an.w.WriteHeader(status)
	io.WriteString(an.w, body)
	if an.b.CutAtEnd {
		http.NewResponseController(an.w).Flush()
		panic(http.ErrAbortHandler)
	}
	return true
}

func (an answer) body(p []byte) {
	if !an.b.Gzip {
		an.w.Write(p)
		return
	}
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	z.Write(p)
	z.Close()
	an.w.Header().Set("Content-Encoding", "gzip")
	an.w.Write(buf.Bytes())
}

// stream sends the answer in pieces, billing output as it goes.
func (an answer) stream(ctx context.Context, rep reply) bool {
	head, pieces, tail := rep.stream(an.ask.dialect, an.ask.sse)
	if an.b.Gzip {
		an.req.bill(rep.tokens)
		an.body([]byte(head + strings.Join(pieces, "") + tail))
		return true
	}
	if !an.write(head) {
		return false
	}
	sent := int64(0) // bytes of content
	if an.b.Stops {
		an.req.bill(Tokens{Output: min(rep.tokens.Output, Ahead*max(1, rep.choices))})
	}
	for i := 0; i < len(pieces) || an.b.Endless && len(pieces) > 0; i++ {
		if !wait(ctx, an.b.Gate) || ctx.Err() != nil {
			return false
		}
		p := pieces[i%len(pieces)]
		if i == 0 && an.b.LongLine > 0 {
			p = "data: " + strings.Repeat("x", an.b.LongLine)
		}
		an.req.bill(Tokens{Output: an.made(rep, i+1, len(pieces))})
		sent += int64(len(rep.text[i%len(pieces)])) * max(1, rep.choices)
		if an.b.Stops {
			an.req.bill(Tokens{Output: min(rep.tokens.Output, sent+Ahead*max(1, rep.choices))})
		}
		if !an.write(p) {
			return false
		}
		if an.b.Fails == i+1 {
			return an.write(errorEvent(an.ask.dialect))
		}
		if an.b.CutAfter == i+1 {
			panic(http.ErrAbortHandler)
		}
	}
	if !wait(ctx, an.b.BeforeEnd) {
		return false
	}
	an.req.bill(rep.tokens)
	if an.b.CutAtEnd {
		panic(http.ErrAbortHandler)
	}
	return an.write(tail)
}

// made is the output billed after i of n pieces.
func (an answer) made(rep reply, i, n int) int64 {
	if an.b.Endless {
		out := int64(i) * 2
		if an.ask.maxOutput > 0 {
			out = min(out, an.ask.maxOutput)
		}
		return out
	}
	if an.b.Stops {
		return 0
	}
	return rep.tokens.Output * int64(i) / int64(n)
}

// write sends s at once, in parts if the behaviour says so. It says whether the caller is still there.
func (an answer) write(s string) bool {
	size := an.b.Split
	if size <= 0 {
		size = len(s)
	}
	rc := http.NewResponseController(an.w)
	if s == "" {
		return rc.Flush() == nil
	}
	for len(s) > 0 {
		n := min(size, len(s))
		if _, err := io.WriteString(an.w, s[:n]); err != nil {
			return false
		}
		if err := rc.Flush(); err != nil {
			return false
		}
		s = s[n:]
	}
	an.f.tell()
	return true
}

// wait receives from c once. It says false if the caller went first.
func wait(ctx context.Context, c <-chan struct{}) bool {
	if c == nil {
		return true
	}
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}
