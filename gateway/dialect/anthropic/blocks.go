package anthropic

import (
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
)

// message reads one message.
func message(b *strict.Reader) error {
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
				return b.Array(func() error { return block(b, anyBlock) })
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
	anyBlock kinds = " text thinking redacted_thinking tool_use tool_result "
	textOnly kinds = " text "
)

func (k kinds) has(kind string) bool { return strings.Contains(string(k), " "+kind+" ") }

// block reads one content block. The members of all kinds are taken together: none costs more than its bytes, whatever the kind.
func block(b *strict.Reader, allowed kinds) error {
	kind := false
	err := b.Object(func(name string) error {
		switch name {
		case "type":
			kind = true
			return blockType(b, allowed)
		case "text", "thinking", "signature", "data", "id", "name", "tool_use_id":
			return b.Text()
		case "input":
			return b.AnyObject()
		}
		if b.Null() {
			return nullInBlock(b, name)
		}
		return inBlock(b, name)
	})
	if err == nil && !kind {
		return b.RefuseAt("type", "a content block has a type")
	}
	return err
}

// inBlock reads the members of a block that may be left out.
func inBlock(b *strict.Reader, name string) (err error) {
	switch name {
	case "cache_control":
		return cacheControl(b)
	case "citations":
		return b.Any() // of an answer that is sent back: texts and places in them
	case "is_error":
		_, err = b.Bool()
		return err
	case "caller":
		return caller(b)
	case "content": // of a tool_result
		if b.Next() == '[' {
			return b.Array(func() error { return block(b, textOnly) })
		}
		return b.Text()
	case "source":
		return b.Refuse("images and documents are not priced yet")
	default:
		return b.Unknown()
	}
}

func nullInBlock(b *strict.Reader, name string) error {
	switch name {
	case "cache_control", "citations", "is_error", "caller", "content":
		return nil
	default:
		return b.Unknown()
	}
}

// blockType says why a kind of block may not go through.
func blockType(b *strict.Reader, allowed kinds) error {
	kind, err := b.String()
	switch {
	case err != nil:
		return err
	case allowed.has(kind):
		return nil
	case kind == "image", kind == "document", kind == "container_upload", kind == "search_result":
		return b.Refuse("%s blocks are not priced yet", kind)
	case kind == "server_tool_use", kind == "mcp_tool_use", strings.HasSuffix(kind, "_tool_result") && kind != "tool_result":
		return b.Refuse("hosted tools are not priced, so their blocks are not allowed")
	case anyBlock.has(kind):
		return b.Refuse("only text blocks are allowed here")
	default:
		return b.Refuse("unknown or not allowed kind of content block")
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

// tool reads a tool that the caller defines and runs itself: it costs its bytes. Tools that Anthropic defines bring prompts of their
// own, of up to some thousand tokens that are not in the body, and hosted ones have a price a call.
func tool(b *strict.Reader) error {
	return b.Object(func(name string) (err error) {
		switch name {
		case "name":
			return b.Text()
		case "input_schema":
			return b.AnyObject()
		}
		if b.Null() {
			return nullInTool(b, name)
		}
		switch name {
		case "type":
			return toolType(b)
		case "description":
			return b.Text()
		case "cache_control":
			return cacheControl(b)
		case "strict", "eager_input_streaming", "defer_loading":
			_, err = b.Bool()
			return err
		case "input_examples":
			return b.Array(b.AnyObject)
		case "allowed_callers":
			return b.Array(func() error { _, err := b.OneOf("direct"); return err })
		case "max_uses", "allowed_domains", "blocked_domains", "user_location":
			return b.Refuse("hosted tools are not priced, so they are not allowed")
		default:
			return b.Unknown()
		}
	})
}

func nullInTool(b *strict.Reader, name string) error {
	switch name {
	case "type", "description", "cache_control", "strict", "eager_input_streaming", "defer_loading", "input_examples", "allowed_callers":
		return nil
	default:
		return b.Unknown()
	}
}

func toolType(b *strict.Reader) error {
	kind, err := b.String()
	switch {
	case err != nil:
		return err
	case kind == "custom":
		return nil
	case strings.HasPrefix(kind, "bash_"), strings.HasPrefix(kind, "text_editor_"), strings.HasPrefix(kind, "computer_"), strings.HasPrefix(kind, "memory_"):
		return b.Refuse("tools that the provider defines are not priced yet; define the tool yourself")
	default:
		return b.Refuse("hosted tools are not priced, so they are not allowed")
	}
}
