// What the browser tests share: a fake OpenAI on loopback, the built broker, a page that reports what its console says.
import { spawn } from 'node:child_process'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

export const ownerToken = 'owner-token-for-browser-tests'
export const providerKey = 'sk-browser-canary-0123456789abcdef'
export const password = 'correct horse battery staple'

/** A provider that lists models, answers at once for as many tokens as it is told ("spend IN OUT" in the message), and streams words until its
 * caller goes. `live` counts the streams that run. */
export async function startProvider() {
  const state = { live: 0 }
  const server = createServer((req, res) => {
    if (req.headers.authorization !== `Bearer ${providerKey}` && req.headers['x-api-key'] !== providerKey) {
      res.writeHead(401, { 'content-type': 'application/json' })
      res.end('{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}')
      return
    }
    if (req.method === 'GET') {
      res.writeHead(200, { 'content-type': 'application/json' })
      res.end('{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1,"owned_by":"system"}]}')
      return
    }
    let sent = ''
    req.on('data', part => { sent += part }).on('end', () => {
      const asked = JSON.parse(sent), spend = /spend (\d+) (\d+)/.exec(sent)
      if (spend) {
        res.writeHead(200, { 'content-type': 'application/json' })
        res.end(JSON.stringify(told(req.url, asked.model, +spend[1], +spend[2])))
        return
      }
      state.live++
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      const tick = setInterval(() => {
        res.write('data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n')
      }, 50)
      res.on('close', () => { clearInterval(tick); state.live-- })
    })
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  state.origin = `http://127.0.0.1:${server.address().port}`
  /** Nobody is there while something is done. */
  state.away = async during => {
    const { port } = server.address()
    await new Promise(done => { server.close(done); server.closeAllConnections() })
    try { await during() } finally { await new Promise(done => server.listen(port, '127.0.0.1', done)) }
  }
  state.stop = () => { server.closeAllConnections(); server.close() }
  return state
}

/** An OpenID provider at which whoever comes is signed in at once, as `claims` says (OpenID Connect Core 1.0). `env` is what a broker needs for it. */
export async function startOpenID(claims) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const codes = new Map(), b64 = v => Buffer.from(v).toString('base64url')
  const server = createServer((req, res) => {
    const { pathname, searchParams: q } = new URL(req.url, state.origin)
    const json = body => { res.writeHead(200, { 'content-type': 'application/json' }); res.end(JSON.stringify(body)) }
    let sent = ''
    req.on('data', part => { sent += part }).on('end', () => {
      if (pathname === '/authorize') {
        const code = `code-${codes.size + 1}`
        codes.set(code, { nonce: q.get('nonce'), challenge: q.get('code_challenge') })
        res.writeHead(302, { location: `${q.get('redirect_uri')}?${new URLSearchParams({ code, state: q.get('state') })}` })
        res.end()
      } else if (pathname === '/token') {
        const form = new URLSearchParams(sent), { nonce, challenge } = codes.get(form.get('code'))
        if (createHash('sha256').update(form.get('code_verifier')).digest('base64url') !== challenge) throw new Error('another verifier')
        const now = Math.floor(Date.now() / 1000)
        const text = b64(JSON.stringify({ alg: 'ES256', kid: 'k' })) + '.' + b64(JSON.stringify({ iss: state.origin, aud: 'broker', iat: now, exp: now + 600, auth_time: now, nonce, email_verified: true, ...claims }))
        json({ access_token: 'unused', token_type: 'Bearer', id_token: `${text}.${b64(sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }))}` })
      } else if (pathname === '/jwks') {
        json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig', alg: 'ES256' }] })
      } else {
        json({ issuer: state.origin, authorization_endpoint: `${state.origin}/authorize`, token_endpoint: `${state.origin}/token`, jwks_uri: `${state.origin}/jwks`, response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['ES256'] })
      }
    })
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  const state = { origin: `http://127.0.0.1:${server.address().port}`, stop: () => { server.closeAllConnections(); server.close() } }
  state.env = { AIPASSPORT_OIDC_ISSUER: state.origin, AIPASSPORT_OIDC_CLIENT_ID: 'broker' }
  return state
}

/** An answer with its usage, in the words of the provider whose path was called. */
function told(path, model, input, output) {
  if (path.endsWith('/messages')) {
    return { id: 'm', type: 'message', role: 'assistant', model, content: [{ type: 'text', text: 'word' }], stop_reason: 'end_turn', stop_sequence: null, usage: { input_tokens: input, output_tokens: output } }
  }
  return {
    id: 'c', object: 'chat.completion', created: 1, model, choices: [{ index: 0, message: { role: 'assistant', content: 'word' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
  }
}

/** The built broker on a free port with a data directory of its own. */
export async function startBroker(provider, env = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'aipassport-browser-'))
  const child = spawn(process.env.AIPASSPORT_BIN, ['serve'], {
    env: {
      PATH: process.env.PATH, HOME: dir, AIPASSPORT_DATA: join(dir, 'data'), AIPASSPORT_KEK_FILE: join(dir, 'kek'),
      AIPASSPORT_LISTEN: '127.0.0.1:0', AIPASSPORT_OWNER_TOKEN: ownerToken, OPENAI_BASE_URL: provider.origin, ANTHROPIC_BASE_URL: provider.origin, ...env,
    },
  })
  let log = ''
  const link = await new Promise((done, failed) => {
    const look = text => {
      log += text
      const found = /https?:\/\/\S+\/setup\?token=\S+/.exec(log)
      if (found) done(found[0])
    }
    child.stderr.on('data', look)
    child.stdout.on('data', look)
    child.on('exit', code => failed(new Error(`the broker ended with ${code}:\n${log}`)))
  })
  const url = new URL(link).origin
  const call = async (method, path, body, token) => {
    const res = await fetch(url + path, {
      method, body: body && JSON.stringify(body),
      headers: { ...(body && { 'content-type': 'application/json' }), ...(token && { authorization: `Bearer ${token}` }) },
    })
    return { status: res.status, body: await res.json() }
  }
  const ended = new Promise(done => child.on('exit', done))
  return {
    url, link, call,
    log: () => log,
    database: join(dir, 'data', 'aipassport.db'),
    owner: (method, path, body) => call(method, path, body, ownerToken),
    /** An app asks; it gets back what an app gets. */
    ask: async (more = {}) => {
      const { status, body } = await call('POST', '/grant-requests', {
        appName: 'Notes', appUrl: 'https://notes.example.com', reason: 'To summarise what you write down during the week.',
        scope: { provider: 'openai', models: ['gpt-4o-mini', 'gpt-4o'], capabilities: ['chat', 'images'], maxBudgetCents: 80, maxRequests: 200, rateLimit: 60 },
        ...more,
      })
      if (status !== 201) throw new Error(JSON.stringify(body))
      return { id: body.grant.id, secret: body.grantSecret, consent: body.consentUrl }
    },
    stop: async () => { child.kill('SIGTERM'); await ended; rmSync(dir, { recursive: true, force: true }) },
  }
}

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
})

/** A page whose console and failed requests are kept in `complaints`. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  page.complaints = []
  page.setDefaultTimeout(20_000)
  page.on('console', m => { if (['error', 'warning'].includes(m.type())) page.complaints.push(m.text()) })
  page.on('pageerror', e => page.complaints.push(String(e)))
  page.on('requestfailed', r => { if (r.failure()?.errorText !== 'net::ERR_ABORTED') page.complaints.push(`${r.url()}: ${r.failure()?.errorText}`) })
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', e => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`))
  })
  return page
}

/** Waits until something holds, asking again every 50 ms, at most 20 s. */
export async function until(what, holds) {
  const end = Date.now() + 20_000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`in vain: ${what}`)
    await new Promise(next => setTimeout(next, 50))
  }
}
