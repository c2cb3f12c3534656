// What the tests of the client share: fake providers, the pages of an app on an origin of its own, and the owner's answers to what it asks.
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { build } from 'esbuild'
import { password } from '../../../e2e/browser/harness.mjs'

const root = new URL('..', import.meta.url).pathname

/** The official SDKs are those of `make sdk`: one list of versions for all suites. */
const sdks = new URL('../../../e2e/sdk/js/node_modules', import.meta.url).pathname

const chatChunk = (choices, usage) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini', choices, usage })}\n\n`
const event = (type, more) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
const message = { id: 'm', type: 'message', role: 'assistant', model: 'claude-haiku-4-5', content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 10, output_tokens: 1 } }
const content = (text, finishReason) => ({ candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason, index: 0 }], usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 3, totalTokenCount: 13 }, modelVersion: 'gemini-2.5-flash-lite' })

/** What a provider says, in the words of each: a list of models, a whole answer, and the pieces of a stream. */
const wire = {
  chat: {
    list: { object: 'list', data: [{ id: 'gpt-4o-mini', object: 'model', created: 1, owned_by: 'system' }] },
    whole: text => ({ id: 'c', object: 'chat.completion', created: 1, model: 'gpt-4o-mini', choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }], usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 } }),
    start: [],
    piece: content => chatChunk([{ index: 0, delta: { content }, finish_reason: null }], null),
    end: [chatChunk([{ index: 0, delta: {}, finish_reason: 'stop' }], null), chatChunk([], { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 }), 'data: [DONE]\n\n'],
  },
  messages: {
    list: { data: [{ type: 'model', id: 'claude-haiku-4-5', display_name: 'Claude Haiku 4.5', created_at: '2025-10-01T00:00:00Z' }], has_more: false, first_id: null, last_id: null },
    whole: text => ({ ...message, content: [{ type: 'text', text }], stop_reason: 'end_turn', usage: { input_tokens: 10, output_tokens: 3 } }),
    start: [event('message_start', { message }), event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })],
    piece: text => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }),
    end: [event('content_block_stop', { index: 0 }), event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } }), event('message_stop', {})],
  },
  gemini: {
    list: { models: [{ name: 'models/gemini-2.5-flash-lite', supportedGenerationMethods: ['generateContent'] }] },
    whole: text => content(text, 'STOP'),
    start: [],
    piece: text => `data: ${JSON.stringify(content(text))}\r\n\r\n`,
    end: [`data: ${JSON.stringify(content('', 'STOP'))}\r\n\r\n`],
  },
}

/** OpenAI, Anthropic and Google in one: three words and what they cost, or, asked to go slowly, words until the caller goes. It keeps the
 * headers of what it was asked. */
export async function startProvider() {
  const asked = []
  let live = 0
  const server = createServer((req, res) => {
    const speaks = wire[/\/messages|anthropic/.test(req.url) || req.headers['x-api-key'] ? 'messages' : /\/v1beta\//.test(req.url) ? 'gemini' : 'chat']
    if (req.method === 'GET') {
      res.writeHead(200, { 'content-type': 'application/json' })
      return res.end(JSON.stringify(speaks.list))
    }
    let body = ''
    req.on('data', part => { body += part }).on('end', () => {
      asked.push(req.headers)
      if (!/"stream": ?true/.test(body) && !/:stream/.test(req.url)) {
        res.writeHead(200, { 'content-type': 'application/json' })
        return res.end(JSON.stringify(speaks.whole('Good day.')))
      }
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const part of speaks.start) res.write(part)
      if (!body.includes('slowly')) {
        for (const part of ['Good ', 'day', '.'].map(speaks.piece).concat(speaks.end)) res.write(part)
        return res.end()
      }
      live++
      const tick = setInterval(() => res.write(speaks.piece('word ')), 20)
      res.on('close', () => { clearInterval(tick); live-- })
    })
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  return { asked, live: () => live, origin: `http://127.0.0.1:${server.address().port}`, stop: () => { server.closeAllConnections(); server.close() } }
}

/** An app: pages without a server of its own, whose origin is not the broker's. `/` has the client as it is built and the official SDKs;
 * `/openai`, `/anthropic` and `/google` run the examples, with the broker's address in them, and with `?sdk` they are as `/`. */
export async function startApp() {
  const made = await build({
    entryPoints: ['test/page.mjs', ...['openai', 'anthropic', 'google'].map(name => `examples/${name}.ts`)], nodePaths: [sdks], absWorkingDir: root, outdir: root, outbase: root,
    external: ['@aipassport/client'], bundle: true, splitting: true, format: 'esm', write: false, logLevel: 'error',
  })
  const files = Object.fromEntries(made.outputFiles.map(f => [f.path.slice(root.length - 1), f.text]))
  for (const name of ['/aipassport.js', '/aipassport.global.js']) files[name] = readFileSync(root + 'dist' + name, 'utf8')
  const page = script => `<!doctype html><html lang="en"><title>Notes</title><link rel="icon" href="data:,"><button id="b">Ask</button><pre id="out"></pre>
<script type="importmap">{"imports":{"@aipassport/client":"/aipassport.js"}}</script><script type="module" src="${script}"></script></html>`
  const app = { broker: '' }
  const server = createServer((req, res) => {
    const { pathname, searchParams } = new URL(req.url, 'http://app')
    const script = pathname === '/' || searchParams.has('sdk') ? '/test/page.js' : `/examples${pathname}.js`
    res.writeHead(200, { 'content-type': files[pathname] ? 'text/javascript' : 'text/html; charset=utf-8' })
    res.end(files[pathname]?.replaceAll('https://passport.example.com', app.broker) ?? page(script))
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  return Object.assign(app, { url: `http://localhost:${server.address().port}/`, stop: () => { server.closeAllConnections(); server.close() } })
}

/** The owner sets the broker up in this browser, so that consent pages need no sign-in any more. */
export async function setUp(page, broker) {
  await page.goto(broker.link)
  await page.getByLabel('Your name').fill('Ada')
  await page.getByLabel('Sign-in name or email').fill('ada')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Become the owner' }).click()
  await page.getByRole('link', { name: 'Not now' }).click()
  await page.waitForURL('**/keys')
}
