package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/gateway/dialect/anthropic"
	"github.com/devrelopers/aipassport/gateway/dialect/gemini"
	"github.com/devrelopers/aipassport/gateway/dialect/openai"
	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/respond"
	"github.com/devrelopers/aipassport/passport"
)

// catalogue is one dialect's list of models: those of a grant that can be called in that dialect.
type catalogue struct {
	dialect    dialect.Dialect
	credential credential
	has        func(passport.Provider, passport.Kind) bool
	list       func([]dialect.Model, url.Values) (any, error)
	one        func(dialect.Model, url.Values) (any, error)
}

// modelRoutes lists the models of a grant in each dialect. What they tell is known here: nothing goes to a provider, no money is held and no
// call counted, but each takes a place in the rate, of the grant's first provider.
func (g *Gateway) modelRoutes() (list []Route) {
	add := func(path, wildcard string, k catalogue) {
		list = append(list, Route{"GET " + path, func(w http.ResponseWriter, r *http.Request) { g.tellModels(w, r, k, "") }},
			Route{"GET " + path + "/" + wildcard, func(w http.ResponseWriter, r *http.Request) { g.tellModels(w, r, k, strings.Trim(wildcard, "{}.")) }})
	}
	for _, p := range []string{"", "/api"} { // /api/v1 is OpenRouter's
		add(p+"/v1/models", "{model...}", catalogue{g.OpenAI, bearer, g.inOpenAI, openai.Models, openai.Model})
	}
	for _, p := range []string{"/anthropic/v1", "/anthropic"} {
		add(p+"/models", "{model...}", catalogue{g.Anthropic, anthropicCredential, inAnthropic, anthropic.Models, anthropic.Model})
	}
	for _, p := range []string{"/google/v1beta", "/google/v1"} {
		add(p+"/models", "{call}", catalogue{g.Google, googleCredential, inGoogle, gemini.Models, gemini.Model})
	}
	return list
}

// inOpenAI says whether /v1 has a route for a kind of model: all of who speaks the dialect, and by translation chats of the others and Google's
// embeddings.
func (g *Gateway) inOpenAI(p passport.Provider, k passport.Kind) bool {
	return k == passport.KindChat || k == passport.KindEmbedding && p == passport.Google || g.native(p).Provider() == passport.OpenAI
}

// inAnthropic says the same of /anthropic: chats of all, by translation.
func inAnthropic(_ passport.Provider, k passport.Kind) bool { return k == passport.KindChat }

// inGoogle says the same of /google, into whose format nothing is translated.
func inGoogle(p passport.Provider, k passport.Kind) bool {
	return p == passport.Google && (k == passport.KindChat || k == passport.KindEmbedding)
}

// tellModels answers with the list, or with the one model that the path names under a wildcard. Errors: those of step 1; RateExceeded; Invalid
// for a query; NotFound for a model that the grant does not allow, whether there is such a model or not.
func (g *Gateway) tellModels(w http.ResponseWriter, r *http.Request, k catalogue, wildcard string) {
	c := g.begin(w, r, endpoint{dialect: k.dialect, credential: k.credential})
	defer c.end()
	v, err := c.models(k, wildcard)
	if err != nil {
		c.refuse(err)
		return
	}
	respond.JSON(w, http.StatusOK, v)
}

func (c *call) models(k catalogue, wildcard string) (any, error) {
	_, standing, err := c.identify()
	if err != nil {
		return nil, err
	}
	if err := c.g.Meter.Look(c.r.Context(), standing.Grant); err != nil {
		return nil, err
	}
	all, q := c.g.granted(standing.Grant, k), c.r.URL.Query()
	q.Del("key")
	if wildcard == "" {
		return k.list(all, q)
	}
	id := c.r.PathValue(wildcard)
	for _, m := range all {
		if m.ID == id || string(m.Provider)+"/"+m.ID == id {
			m.ID = id
			return k.one(m, q)
		}
	}
	return nil, problem.New(problem.NotFound, "this grant allows no model of that name here").In("model")
}

// granted are the models that a grant allows and that have a price, by detail and by name. Each has the plain name if a call that names it so
// goes there, else provider/name.
func (g *Gateway) granted(grant passport.Grant, k catalogue) (all []dialect.Model) {
	for _, d := range grant.Details {
		if g.native(d.Provider) == nil { // taken out of the settings
			continue
		}
		for _, m := range g.priced(d) {
			if !k.has(d.Provider, m.Kind) || !slices.Contains(d.Capabilities, needs[m.Kind]) {
				continue
			}
			if p, name := g.resolve(grant, k.dialect.Provider(), m.ID); p != d.Provider || name != m.ID {
				m.ID = string(d.Provider) + "/" + m.ID
			}
			all = append(all, m)
		}
	}
	return all
}

// needs is the capability without which a model of a kind is of no use.
var needs = map[passport.Kind]passport.Capability{
	passport.KindChat: passport.Chat, passport.KindEmbedding: passport.Embeddings, passport.KindImage: passport.Images,
	passport.KindTranscription: passport.Audio, passport.KindSpeech: passport.Audio,
}

// priced are the models of a detail that have a price, by name.
func (g *Gateway) priced(d passport.Detail) (list []dialect.Model) {
	add := func(id string, p meter.ModelPrice) {
		list = append(list, dialect.Model{ID: id, Provider: d.Provider, Kind: p.Kind, Context: p.Context, MaxOutput: p.MaxOutput})
	}
	for _, id := range d.Models {
		if p, ok := g.Tariff.Price(d.Provider, id); ok {
			add(id, p)
		}
	}
	if len(d.Models) == 0 {
		for kind := range needs {
			for _, p := range g.Tariff.Models(d.Provider, kind) {
				add(p.Model, p)
			}
		}
	}
	slices.SortFunc(list, func(a, b dialect.Model) int { return strings.Compare(a.ID, b.ID) })
	return list
}
