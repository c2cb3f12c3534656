// Package fakeprovider plays the AI providers on loopback: OpenAI's chat completions, Anthropic's messages and Google's
// generateContent, unary and streaming, in the shapes of their documentation. Handler is the sandbox of the demo; Fake is the
// same with knobs for tests: it checks what it receives, remembers it, bills it, and misbehaves on demand. It owns nothing and
// may not touch anything of the broker.
package fakeprovider
