// What the tests of the client share: a fake OpenAI, the page of an app on an origin of its own, and the owner's answers to what it asks.
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { build } from 'esbuild'
import { password, providerKey } from '../../../e2e/browser/harness.mjs'

const root = new URL('..', import.meta.url).pathname

/** An OpenAI that streams three words and what they cost, and keeps the headers of what it was asked. */
export async function startProvider() {
  const asked = []
  const json = { 'content-type': 'application/json' }
  const server = createServer((req, res) => {
    if (req.method === 'GET') {
      res.writeHead(200, json)
      return res.end('{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1,"owned_by":"system"}]}')
    }
    req.resume().on('end', () => {
      asked.push(req.headers)
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      const chunk = (choices, usage) => res.write(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini', choices, usage })}\n\n`)
      for (const content of ['Good ', 'day', '.']) chunk([{ index: 0, delta: { content }, finish_reason: null }], null)
      chunk([{ index: 0, delta: {}, finish_reason: 'stop' }], null)
      chunk([], { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 })
      res.end('data: [DONE]\n\n')
    })
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  return { asked, origin: `http://127.0.0.1:${server.address().port}`, stop: () => { server.closeAllConnections(); server.close() } }
}

/** An app: a page without a server of its own, which has the built client and the official SDK. Its origin is not the broker's. */
export async function startApp() {
  const sdk = await build({ stdin: { contents: 'export { default } from "openai"', resolveDir: root }, bundle: true, format: 'esm', write: false, logLevel: 'error' })
  const files = {
    '/aipassport.js': () => readFileSync(root + 'dist/aipassport.js'),
    '/aipassport.global.js': () => readFileSync(root + 'dist/aipassport.global.js'),
    '/openai.js': () => sdk.outputFiles[0].contents,
  }
  const page = `<!doctype html><html lang="en"><title>Notes</title><link rel="icon" href="data:,"><button id="b"></button><pre id="out"></pre>
<script type="module">
import * as client from './aipassport.js'
import OpenAI from './openai.js'
const q = new URLSearchParams(location.search)
Object.assign(window, { client, OpenAI })
window.options = JSON.parse(localStorage.options ?? 'null')
window.restored = window.options ? client.restore(window.options).then(s => { window.session = s; return s ? 'session' : 'nothing' }, e => e.code ?? String(e)) : Promise.resolve('no options')
</script></html>`
  const server = createServer((req, res) => {
    const path = new URL(req.url, 'http://app').pathname
    res.writeHead(200, { 'content-type': files[path] ? 'text/javascript' : 'text/html; charset=utf-8' })
    res.end(files[path]?.() ?? page)
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  return { url: `http://localhost:${server.address().port}/`, stop: () => { server.closeAllConnections(); server.close() } }
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
  await page.getByLabel('Provider').selectOption('openai')
  await page.getByLabel('Your name for it').fill('for apps')
  await page.getByLabel('Key', { exact: true }).fill(providerKey)
  await page.getByRole('button', { name: 'Test and keep' }).click()
  await page.getByRole('listitem').filter({ hasText: 'for apps' }).waitFor()
}
