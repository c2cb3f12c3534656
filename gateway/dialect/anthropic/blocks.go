package anthropic

import (
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
)

// message reads one message.
func (r *request) message(b *strict.Reader) error {
	role, body := false, false
	err := b.Object(func(name string) (err error) {
		switch name {
		case "role":
			role = true
			_, err = b.OneOf("user", "assistant", "system")
			return err
		case "content":
			body = true
			if b.Next() == '[' {
				return b.Array(func() error { return r.block(b, anyBlock) })
			}
			return b.Text()
		default:
			return b.Unknown()
		}
	})
	switch {
	case err != nil:
		return err
	case !role:
		return b.RefuseAt("role", "a message has a role")
	case !body:
		return b.RefuseAt("content", "a message has content")
	default:
		return nil
	}
}

// kinds is which blocks may stand in a place.
type kinds string

const (
	anyBlock kinds = " text image thinking redacted_thinking tool_use tool_result server_tool_use web_search_tool_result "
	inResult kinds = " text image web_search_result " // of a tool, of a search
	textOnly kinds = " text "
)

func (k kinds) has(kind string) bool { return strings.Contains(string(k), " "+kind+" ") }

// block reads one content block. The members of all kinds are taken together: none but an image's source costs more than its
// bytes, whatever the kind.
func (r *request) block(b *strict.Reader, allowed kinds) error {
	kind, shown := "", false
	err := b.Object(func(name string) (err error) {
		switch name {
		case "type":
			kind, err = blockType(b, allowed)
			return err
		case "text", "thinking", "signature", "data", "id", "name", "tool_use_id", "url", "title", "encrypted_content":
			return b.Text()
		case "input":
			return b.AnyObject()
		case "source":
			shown = true
			return r.source(b)
		}
		if b.Null() {
			return nullInBlock(b, name)
		}
		return r.inBlock(b, name)
	})
	switch {
	case err != nil:
		return err
	case kind == "":
		return b.RefuseAt("type", "a content block has a type")
	case shown != (kind == "image"):
		return b.RefuseAt("type", "an image block has a source, and other blocks have none")
	}
	if strings.HasPrefix(kind, "web_search") || kind == "server_tool_use" {
		r.searched = true
	}
	return nil
}

// inBlock reads the members of a block that may be left out.
func (r *request) inBlock(b *strict.Reader, name string) (err error) {
	switch name {
	case "cache_control":
		return r.cacheControl(b)
	case "citations":
		return b.Any() // of an answer that is sent back: texts and places in them
	case "is_error":
		_, err = b.Bool()
		return err
	case "caller":
		return caller(b)
	case "page_age":
		return b.Text()
	case "content": // of a tool's result
		switch b.Next() {
		case '[':
			return b.Array(func() error { return r.block(b, inResult) })
		case '{': // of a search that failed
			return b.Object(func(name string) error {
				if name != "type" && name != "error_code" {
					return b.Unknown()
				}
				return b.Text()
			})
		default:
			return b.Text()
		}
	default:
		return b.Unknown()
	}
}

func nullInBlock(b *strict.Reader, name string) error {
	switch name {
	case "cache_control", "citations", "is_error", "caller", "content", "page_age":
		return nil
	default:
		return b.Unknown()
	}
}

// blockType says why a kind of block may not go through.
func blockType(b *strict.Reader, allowed kinds) (string, error) {
	kind, err := b.String()
	switch {
	case err != nil:
		return "", err
	case allowed.has(kind):
		return kind, nil
	case kind == "document", kind == "container_upload", kind == "search_result":
		return "", b.Refuse("%s blocks cannot be priced: their bytes do not tell how many pages of text and images they become", kind)
	case anyBlock.has(kind):
		return "", b.Refuse("only these blocks are allowed here:%s", strings.TrimRight(string(allowed), " "))
	case kind == "mcp_tool_use", strings.HasSuffix(kind, "_tool_result"):
		return "", b.Refuse("of hosted tools only web search can be priced, so their blocks are not allowed")
	default:
		return "", b.Refuse("unknown or not allowed kind of content block")
	}
}

// caller says who called a tool. Anything but the model itself is a hosted tool.
func caller(b *strict.Reader) error {
	return b.Object(func(name string) error {
		if name != "type" {
			return b.Unknown()
		}
		_, err := b.OneOf("direct")
		return err
	})
}
