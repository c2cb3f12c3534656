package gateway

import (
	"net/http"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/bridge"
	"github.com/devrelopers/aipassport/gateway/dialect/chat"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/passport"
)

// endpoint is one way in for apps: where the credential is, how the body is read, whose shape errors have.
type endpoint struct {
	dialect    dialect.Dialect // nil: the seed's own shape
	credential credential
	form       bool // the body is a form in parts, with a file, and not JSON
	early      func(*call) error
	read       func(*call) (*dialect.Request, error)
}

// Route is one way in, for the server's table.
type Route struct {
	Pattern string
	Handler http.HandlerFunc
}

// Routes lists the ways in. All ask for an access token; all but GET /v1/grant and the lists of models carry calls.
func (g *Gateway) Routes() (list []Route) {
	add := func(pattern string, e endpoint) {
		list = append(list, Route{pattern, func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, e) }})
	}
	none := func(*call) error { return nil }
	native := func(d dialect.Dialect, cred credential) endpoint {
		return endpoint{dialect: d, credential: cred, early: none, read: func(c *call) (*dialect.Request, error) { return c.readNative(d) }}
	}
	add("POST /v1/chat/completions", native(g.OpenAI, bearer))
	add("POST /api/v1/chat/completions", native(g.OpenAI, bearer)) // where apps made for OpenRouter call
	add("POST /v1/responses", native(openai.NewResponses(), bearer))
	add("POST /v1/embeddings", native(openai.NewEmbeddings(), bearer))
	add("POST /v1/images/generations", native(openai.NewImages(), bearer))
	add("POST /v1/audio/speech", native(openai.NewSpeech(), bearer))
	add("POST /v1/audio/transcriptions", inParts(native(openai.NewTranscriptions(), bearer)))
	add("POST /v1/audio/translations", inParts(native(openai.NewTranslations(), bearer)))
	add("POST /anthropic/v1/messages", native(g.Anthropic, anthropicCredential))
	add("POST /anthropic/messages", native(g.Anthropic, anthropicCredential)) // some clients leave the version out
	for _, p := range []string{"/anthropic/v1", "/anthropic"} {
		add("POST "+p+"/messages/count_tokens", endpoint{dialect: g.Anthropic, credential: anthropicCredential, early: none, read: func(c *call) (*dialect.Request, error) {
			return c.readMethod(g.Anthropic, anthropic.CountTokens)
		}})
	}
	add("POST /google/v1beta/models/{call}", native(g.Google, googleCredential))
	add("POST /google/v1/models/{call}", native(g.Google, googleCredential))
	list = append(append(list, Route{"GET /v1/grant", g.tellStanding}), g.modelRoutes()...)
	add("POST /proxy/chat", endpoint{credential: seedBearer, early: (*call).readSeed, read: (*call).translateSeed})
	return list
}

// inParts is an endpoint whose bodies are forms.
func inParts(e endpoint) endpoint {
	e.form = true
	return e
}

// DialectOf returns the dialect whose shape errors on a path have; nil: the seed's.
func (g *Gateway) DialectOf(path string) dialect.Dialect {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "v1", "api":
		return g.OpenAI
	case "anthropic":
		return g.Anthropic
	case "google":
		return g.Google
	default:
		return nil
	}
}

// readNative reads a body in the provider's own format.
func (c *call) readNative(d dialect.Dialect) (*dialect.Request, error) { return c.readMethod(d, "") }

// readMethod is readNative where the route tells what is wanted, and not the body alone.
func (c *call) readMethod(d dialect.Dialect, method string) (*dialect.Request, error) {
	switch ct := c.r.Header.Get("Content-Type"); {
	case c.e.form && !isMedia(ct, "multipart/form-data"):
		return nil, problem.New(problem.UnsupportedMedia, "the body must be multipart/form-data")
	case !c.e.form && ct != "" && !isJSON(ct):
		return nil, problem.New(problem.UnsupportedMedia, "the body must be application/json")
	}
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	in := dialect.Input{Method: method, Header: c.r.Header, Body: body}
	if c.r.URL.RawQuery != "" {
		in.Query = c.r.URL.Query()
		in.Query.Del("key")
	}
	if v := c.r.PathValue("call"); v != "" {
		i := strings.LastIndexByte(v, ':')
		if i < 0 {
			return nil, problem.New(problem.NotFound, "no such method on a model")
		}
		in.Model, in.Method = v[:i], v[i+1:]
	}
	req, err := d.Read(in)
	if err != nil || d.Provider() == passport.Google { // whose models are named in the path
		return req, err
	}
	return c.route(d, in, req)
}

// readSeed reads /proxy/chat as far as it goes without knowing the grant. A missing body and one of another type are seen as {}, as in
// the seed; the latter is not read.
func (c *call) readSeed() error {
	body := []byte("{}")
	if isJSON(c.r.Header.Get("Content-Type")) {
		sent, err := c.body()
		if err != nil {
			return err
		}
		if len(sent) > 0 {
			body = sent
		}
	}
	var err error
	c.seed = body
	c.model, err = chat.Check(body)
	return err
}

// translateSeed turns it into the native body of the grant's provider and reads that as any other.
func (c *call) translateSeed() (*dialect.Request, error) {
	p, name := c.g.resolve(c.standing.Grant, "", c.model)
	c.native = c.g.native(p)
	if name != c.model {
		c.seed, c.model = bridge.Rename(c.seed, name), name
	}
	if c.native == nil {
		return nil, problem.New(problem.ModelNotGranted, "this grant covers no provider")
	}
	// The seed refuses by calls, key, model and capability before it hands the messages to the provider.
	if _, err := c.g.permit(c.standing, passport.Call{Provider: p, Model: c.model, Uses: []passport.Capability{passport.Chat}}); err != nil {
		return nil, err
	}
	in, err := chat.Read(c.native.Provider(), c.seed)
	if err != nil {
		return nil, err
	}
	req, err := c.native.Read(in)
	if bad := problem.From(err); bad != nil && bad.Kind == problem.Invalid && bad.Field != "" {
		return nil, problem.Wrap(err, problem.Invalid, "%s: %s", bad.Field, bad.Detail) // the seed's shape has no place for the field
	}
	if err == nil {
		req.Call.Provider = p
	}
	return req, err
}

// native is the dialect that a provider speaks; nil: the broker does not know it.
func (g *Gateway) native(p passport.Provider) dialect.Dialect {
	switch p {
	case passport.OpenAI:
		return g.OpenAI
	case passport.Anthropic:
		return g.Anthropic
	case passport.Google:
		return g.Google
	default:
		return g.Compatible(p)
	}
}

func isJSON(contentType string) bool { return isMedia(contentType, "application/json") }

func isMedia(contentType, want string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(t), want)
}
