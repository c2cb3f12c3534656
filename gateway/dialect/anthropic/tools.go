package anthropic

import (
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
)

// webSearch is the one hosted tool that can be priced: so much a search, of which max_uses bounds the number, and what is found is
// input, of which a model's window bounds the amount in each round. Later versions let programs sort out what is found.
const webSearch = "web_search_20250305"

// Bounds of max_uses.
const (
	fewSearches  = 5 // put in where the caller left it out
	mostSearches = 100
)

// search is a web_search tool in a body.
type search struct {
	open int         // behind the brace that opens it; 0: there is none
	uses int64       // max_uses; 0: left out
	null strict.Edit // of a null that stands for it
}

// tool reads a tool: one that the caller defines and runs itself, which costs its bytes, or a web search. Other tools that Anthropic
// defines bring prompts of their own, of up to some thousand tokens that are not in the body.
func (r *request) tool(b *strict.Reader) error {
	s := search{open: b.Begin() + 1}
	kind, called, hosted, own := "", "", "", ""
	err := b.Object(func(name string) (err error) {
		switch name {
		case "name":
			called, err = b.String()
			return err
		case "input_schema":
			own = name
			return b.AnyObject()
		case "max_uses":
			hosted = name
			return s.maxUses(b)
		}
		if b.Null() {
			return nullInTool(b, name)
		}
		switch name {
		case "type":
			kind, err = toolType(b)
			return err
		case "allowed_domains", "blocked_domains":
			hosted = name
			return b.Strings()
		case "user_location":
			hosted = name
			return location(b)
		case "cache_control":
			return r.cacheControl(b)
		default:
			own = name
			return ownTool(b, name)
		}
	})
	switch {
	case err != nil:
		return err
	case kind != webSearch && hosted != "":
		return b.RefuseAt(hosted, "only a tool of type %s has it", webSearch)
	case kind != webSearch:
		return nil
	case own != "":
		return b.RefuseAt(own, "a web search has none")
	case called != "web_search":
		return b.RefuseAt("name", "a web search is called web_search")
	case r.search.open > 0:
		return b.RefuseAt("type", "there is a web search already")
	}
	r.search = s
	return nil
}

func (s *search) maxUses(b *strict.Reader) (err error) {
	at := b.Begin()
	if b.Null() {
		s.null = strict.Edit{At: at, Cut: b.End() - at}
		return nil
	}
	s.uses, err = b.Int(1, mostSearches)
	return err
}

// count is how many searches there can be, and what has to be put into the body for it.
func (s search) count() (n int64, edits []strict.Edit) {
	switch {
	case s.open == 0 || s.uses > 0:
		return s.uses, nil
	case s.null.Cut > 0:
		return fewSearches, []strict.Edit{strict.Slot{Edit: s.null}.With(fewSearches)}
	default:
		return fewSearches, []strict.Edit{strict.Slot{Edit: strict.Edit{At: s.open, Text: `"max_uses":`}, After: ","}.With(fewSearches)}
	}
}

// location reads where results should be near to.
func location(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "type":
			_, err = b.OneOf("approximate")
			return err
		case "city", "region", "country", "timezone":
			if b.Null() {
				return nil
			}
			return b.Text()
		default:
			return b.Unknown()
		}
	})
}

// ownTool reads the members that only a tool of the caller's has.
func ownTool(b *strict.Reader, name string) (err error) {
	switch name {
	case "description":
		return b.Text()
	case "strict", "eager_input_streaming", "defer_loading":
		_, err = b.Bool()
		return err
	case "input_examples":
		return b.Array(b.AnyObject)
	case "allowed_callers":
		return b.Array(func() error { _, err := b.OneOf("direct"); return err })
	default:
		return b.Unknown()
	}
}

func nullInTool(b *strict.Reader, name string) error {
	switch name {
	case "type", "description", "cache_control", "strict", "eager_input_streaming", "defer_loading", "input_examples", "allowed_callers",
		"allowed_domains", "blocked_domains", "user_location":
		return nil
	default:
		return b.Unknown()
	}
}

// toolType says why a kind of tool may not go through.
func toolType(b *strict.Reader) (string, error) {
	kind, err := b.String()
	has := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(kind, p) {
				return true
			}
		}
		return false
	}
	switch {
	case err != nil:
		return "", err
	case kind == "custom", kind == webSearch:
		return kind, nil
	case has("bash_", "text_editor_", "computer_", "memory_"):
		return "", b.Refuse("tools that the provider defines bring prompts of their own, which cannot be priced; define the tool yourself")
	case has("web_search_"):
		return "", b.Refuse("this version runs programs, whose time has no bound; use %s", webSearch)
	case has("code_execution_"):
		return "", b.Refuse("how long programs run at the provider, at a price by the hour, has no bound in a call, so it cannot be priced")
	default:
		return "", b.Refuse("of hosted tools only %s can be priced", webSearch)
	}
}
