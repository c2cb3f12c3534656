// The official SDKs in a page, each by the example of the README: what of them works when their fetch is the session's.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { providerKey, until } from '../../../e2e/browser/harness.mjs'

const root = new URL('..', import.meta.url).pathname
const names = ['openai', 'anthropic', 'google']
const example = name => readFileSync(`${root}examples/${name}.ts`, 'utf8')

/** The examples against the built types; it takes seconds, so that it begins with the tests and runs beside them. */
export const typed = () => promisify(execFile)(process.execPath, [root + 'node_modules/typescript/bin/tsc', '-p', root + 'examples']).then(() => '', err => err.stdout || String(err))

/** Adds the tests to those of the client. `lab()` has its broker, provider, app and context, and the promise of `typed`. */
export function sdkTests(lab, approve) {
  const pages = {}
  const sent = [] // what pages send to the broker's endpoints for calls

  test('the examples are those of the README and the guide', () => {
    for (const doc of ['README.md', '../../docs/guide/web.md']) {
      const text = readFileSync(root + doc, 'utf8')
      for (const name of names) assert.ok(text.includes('```ts\n' + example(name) + '```\n'), `${doc} has another example than examples/${name}.ts: copy it there`)
    }
  })

  test('each example, as it is: a press, the consent, and words that stream', async () => {
    const { app, broker, context } = lab()
    context.on('request', r => {
      if (r.url().startsWith(broker.url) && /\/v1\/(chat|grant)|\/messages|\/models\//.test(r.url())) sent.push({ url: r.url(), method: r.method(), headers: r.headers(), body: r.postData() ?? '' })
    })
    await Promise.all(names.map(async name => {
      const page = pages[name] = await context.newPage()
      page.setDefaultTimeout(20_000) // three at once, beside the compiler
      await page.goto(app.url + name)
      const opened = page.waitForEvent('popup')
      await page.getByRole('button', { name: 'Ask' }).click()
      const popup = await opened
      popup.setDefaultTimeout(20_000)
      await popup.waitForURL('**/consent/*')
      await popup.getByRole('spinbutton', { name: 'Money', exact: true }).fill('0.10')
      await approve(popup)
      await page.getByText('Good day.').waitFor()
      await page.evaluate(broker => { localStorage.options = JSON.stringify({ broker }) }, broker.url)
      await page.goto(`${app.url}${name}?sdk`) // the same address, so that it takes the session up
      assert.equal(await page.evaluate(() => window.restored), 'session')
    }))
  })

  const each = (what, check) => test(what, () => Promise.all(names.map(name => check(name, pages[name], (call, content) => pages[name].evaluate(a => window.run(...a), [name, call, content])))))

  each('each SDK: a whole answer, and a stream', async (name, page, run) => {
    assert.equal(await run('whole', 'Hello'), 'Good day.', name)
    assert.equal(await run('stream', 'Hello'), 'Good day.', name)
    // Whatever a caller puts where keys go: other versions of an SDK use other places.
    assert.equal(await page.evaluate(key => window.session.fetch(`${window.session.baseURL()}/grant?key=${key}`, { headers: { authorization: `Bearer ${key}`, 'x-api-key': key, 'x-goog-api-key': key } }).then(r => r.status), 'sk-of-the-page'), 200)
  })

  each('each SDK: more than was given is its own error, with the broker\'s words, and is tried once', async (name, page, run) => {
    const before = sent.filter(s => s.url.includes(surfaces[name])).length
    const err = await run('dear', 'Hello')
    assert.equal(err.type, name === 'google' ? 'ApiError' : 'RateLimitError', name)
    assert.equal(err.status, 429, name)
    assert.match(err.message, /of the \$0\.10 of the grant is left, and the call could cost \$0\.\d+ at worst/, name)
    assert.equal(sent.filter(s => s.url.includes(surfaces[name])).length, before + 1, `${name} reads x-should-retry`)
  })

  each('each SDK: revoked while it streams, the stream ends with its error and not with an end', async (name, page, run) => {
    const { broker, provider } = lab()
    const cut = run('stream', 'slowly')
    await page.waitForFunction(() => window.words.includes('word word'))
    await broker.owner('POST', `/grants/${await page.evaluate(() => window.session.grantId)}/revoke`)
    const err = await cut
    assert.equal(err.type, name === 'google' ? 'ApiError' : 'APIError', name)
    assert.match(err.message, /the grant was revoked/, name)
    await until('the provider was left', () => provider.live() === 0)
    assert.equal((await run('whole', 'Hello')).status, 401, name)
    assert.equal(await page.evaluate(() => window.session.ended), true, name)
  })

  test('each call has a token and a proof of its own, and no key: neither the provider\'s in the page, nor the page\'s at the provider', async () => {
    const { provider } = lab()
    const proofs = new Set()
    assert.ok(sent.length >= 15, `${sent.length} calls`)
    for (const { url, method, headers, body } of sent) {
      const at = new URL(url)
      assert.match(headers.authorization, /^DPoP [\w.-]+$/)
      const proof = JSON.parse(Buffer.from(headers.dpop.split('.')[1], 'base64url'))
      assert.deepEqual([proof.htm, proof.htu], [method, at.origin + at.pathname])
      assert.ok(proof.ath && !proofs.has(proof.jti), 'a proof is used once')
      proofs.add(proof.jti)
      for (const key of [providerKey, 'sk-of-the-page']) assert.ok(!JSON.stringify([url, headers, body]).includes(key), 'a key is nowhere') // whole: a token or a proof may have any three letters
      assert.ok(!headers['x-api-key'] && !headers['x-goog-api-key'], url)
    }
    for (const [name, header] of Object.entries({ openai: 'x-stainless-lang', anthropic: 'anthropic-dangerous-direct-browser-access', google: 'x-goog-api-client' })) {
      assert.ok(sent.some(s => s.url.includes(surfaces[name]) && s.headers[header]), `${name} sends ${header} from a page`)
      const seen = await pages[name].evaluate(async () => {
        const rows = []
        for (const { name, version } of await indexedDB.databases()) await new Promise(done => {
          indexedDB.open(name, version).onsuccess = e => {
            const db = e.target.result
            const tx = db.transaction([...db.objectStoreNames])
            for (const s of db.objectStoreNames) tx.objectStore(s).getAll().onsuccess = e => rows.push(e.target.result)
            tx.oncomplete = () => { db.close(); done() }
          }
        })
        return JSON.stringify([rows, { ...localStorage }, { ...sessionStorage }]) + document.documentElement.outerHTML
      })
      assert.ok(!seen.includes(providerKey), 'the provider\'s key is not in the page')
    }
    for (const headers of provider.asked) {
      assert.equal(headers.authorization?.replace('Bearer ', '') ?? headers['x-api-key'] ?? headers['x-goog-api-key'], providerKey)
      assert.ok(!headers.dpop && !JSON.stringify(headers).includes('sk-of-the-page'))
    }
  })

  test('the examples are what the types say', async () => assert.equal(await lab().typed, ''))
}

const surfaces = { openai: '/v1/chat/', anthropic: '/anthropic/', google: '/google/' }
