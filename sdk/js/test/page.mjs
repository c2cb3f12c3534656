// The page of an app that has the built client and the official SDKs, as a bundler makes it: each is loaded when it is used. The tests drive
// it by what it puts on window.
import * as client from '@aipassport/client'

window.client = client
window.options = JSON.parse(localStorage.options ?? 'null')
window.restored = window.options ? client.restore(window.options).then(s => { window.session = s; return s ? 'session' : 'nothing' }, e => e.code ?? String(e)) : Promise.resolve('no options')

const apiKey = 'sk-of-the-page' // each SDK sends it somewhere, and none of it may leave the page
const ours = surface => ({ apiKey, baseURL: window.session.baseURL(surface), fetch: window.session.fetch, dangerouslyAllowBrowser: true })

/** Each SDK: a whole answer, the words of a stream, a call that can cost more than ten cents, and its own class of error. */
const sdks = {
  openai: {
    load: () => import('openai'),
    make: sdk => new sdk.OpenAI(ours('openai')).chat.completions,
    ask: content => ({ model: 'gpt-4o-mini', max_completion_tokens: 50, messages: [{ role: 'user', content }] }),
    whole: async (ai, asked) => (await ai.create(asked)).choices[0].message.content,
    stream: async (ai, asked, tell) => { for await (const c of await ai.create({ ...asked, stream: true })) tell(c.choices[0]?.delta?.content ?? '') },
    dear: (ai, asked) => ai.create({ ...asked, n: 16, max_completion_tokens: 16_384 }),
    errors: ['RateLimitError', 'APIError'],
  },
  anthropic: {
    load: () => import('@anthropic-ai/sdk'),
    make: sdk => new sdk.Anthropic(ours('anthropic')).messages,
    ask: content => ({ model: 'claude-haiku-4-5', max_tokens: 50, messages: [{ role: 'user', content }] }),
    whole: async (ai, asked) => (await ai.create(asked)).content[0].text,
    stream: (ai, asked, tell) => ai.stream(asked).on('text', tell).done(),
    dear: (ai, asked) => ai.create({ ...asked, max_tokens: 64_000, stream: true }),
    errors: ['RateLimitError', 'APIError'],
  },
  google: {
    load: () => import('@google/genai'),
    make: sdk => new sdk.GoogleGenAI({ apiKey, httpOptions: { baseUrl: window.session.baseURL('google'), fetch: window.session.fetch } }).models,
    ask: contents => ({ model: 'gemini-2.5-flash-lite', contents, config: { maxOutputTokens: 50 } }),
    whole: async (ai, asked) => (await ai.generateContent(asked)).text,
    stream: async (ai, asked, tell) => { for await (const c of await ai.generateContentStream(asked)) tell(c.text ?? '') },
    dear: (ai, asked) => ai.generateContent({ ...asked, config: { maxOutputTokens: 65_536, candidateCount: 8 } }),
    errors: ['ApiError'],
  },
}

/** Runs one of an SDK's calls. An error is told by the SDK's own class, its status and its message. */
window.run = async (name, call, content) => {
  const { load, make, ask, errors, [call]: step } = sdks[name]
  const sdk = await load()
  window.words = ''
  try {
    const answer = await step(make(sdk), ask(content), text => { window.words += text })
    return call === 'stream' ? window.words : answer
  } catch (err) {
    return { type: errors.find(known => err instanceof sdk[known]) ?? `not the SDK's: ${err}`, status: err.status, message: err.message }
  }
}
