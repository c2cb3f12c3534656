package main

// gaps are the cells that do not work. One that works is an error: it is to be taken out.
var gaps = []gap{
	{clients: "ai-openai ai-compatible ai-anthropic ai-google", features: "error-spent",
		why: "the AI SDK does not read `x-should-retry`: it asks for a spent call twice more, and pays nothing for it. Set `maxRetries: 0` to spare the wait"},
	{clients: "ai-anthropic", targets: "google", features: "structured",
		why: "for models that it does not know the AI SDK asks Anthropic's surface for one call, at most, of a tool that it makes up; Google's models cannot be told that, and it is refused"},
}
