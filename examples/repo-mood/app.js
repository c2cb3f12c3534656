// repo-mood: a page that uses only what AIPassport offers to every app.
import { Trouble, parse, signals } from './github.js'
import { draw } from './ring.js'
import { explain, moods, prompt, read, request } from './mood.js'
import { ConnectError, connect, restore } from './aipassport.js' // the build of sdk/js

const $ = (id) => document.getElementById(id)
let session
let running
let waiting // for the person's answer on the consent page

// Whoever serves this page may set its fields in settings.json beside it. A link may name a repository and nothing else: not where
// tokens and keys are sent.
try {
  const set = await (await fetch('settings.json')).json()
  for (const id of ['broker', 'token-broker', 'provider', 'model', 'anthropic', 'github', 'repo']) if (typeof set[id] === 'string') $(id).value = set[id]
  if (typeof set.note === 'string') $('note').textContent = set.note
  $('note').hidden = !$('note').textContent
} catch {} // there is none
const named = new URLSearchParams(location.hash.slice(1)).get('repo')
if (named) $('repo').value = named.slice(0, 140)

draw($('ring'))

const mode = () => document.querySelector('input[name=mode]:checked').value

function options() {
  return {
    broker: $('broker').value.trim(),
    appName: 'repo-mood',
    reason: 'To read the mood of the repositories that you name.',
    ask: { provider: $('provider').value.trim(), models: [$('model').value.trim()], capabilities: ['chat'], maxBudgetCents: 100, maxRequests: 200, rateLimit: 20 },
  }
}

for (const r of document.querySelectorAll('input[name=mode]')) {
  r.addEventListener('change', () => {
    for (const part of document.querySelectorAll('[data-mode]')) part.hidden = part.dataset.mode !== mode()
  })
}

const dollars = (micro) => '$' + (Math.floor(micro / 100) / 10_000).toFixed(4).replace(/(\.\d\d\d*?)0+$/, '$1')

function connected(s) {
  session = s
  $('connect').textContent = s ? 'Give the access back' : 'Connect with AIPassport'
  if (!s) return void ($('left').textContent = '')
  const tell = () => {
    if (s === session && s.remaining) $('left').textContent = `${dollars(s.remaining.microUsd)} and ${s.remaining.calls} call${s.remaining.calls === 1 ? '' : 's'} left`
  }
  s.addEventListener('change', tell)
  s.addEventListener('end', () => s === session && connected(undefined))
  s.standing().catch(() => {})
}

$('connect').addEventListener('click', async () => {
  if (waiting) return waiting.abort() // a window that was closed cannot be seen from here
  problem('')
  try {
    if (session) return await session.revoke()
    waiting = new AbortController()
    $('connect').textContent = 'Stop waiting'
    $('left').textContent = 'Answer in the window that opened.'
    connected(await connect({ ...options(), signal: waiting.signal }))
  } catch (err) {
    connected(session)
    refused(err)
  } finally {
    waiting = undefined
  }
})

function refused(err) {
  const words = { denied: 'No access was given. That is fine; nothing was spent.', cancelled: '' }[err.code]
  problem(words ?? `Connecting did not work: ${err.message}`)
}

$('ask').addEventListener('submit', async (e) => {
  e.preventDefault()
  running?.abort()
  const mine = (running = new AbortController())
  problem('')
  try {
    const repo = parse($('repo').value)
    state('loading', '', 'Reading the signals')
    const s = await signals($('github').value, repo, Date.now(), mine.signal)
    show(s)
    state('loading', '', 'Asking the model')
    const { mood, reading } = await ask(prompt(repo, s, Date.now()), mine.signal)
    state('done', mood, reading)
  } catch (err) {
    if (mine.signal.aborted) return
    state('idle', '', '')
    problem(err instanceof Trouble || err instanceof ConnectError ? err.message : 'That did not work: the connection failed.')
  }
})

async function ask(text, signal) {
  const call = request($('model').value.trim(), text)
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(call), signal }
  let answer
  if (mode() === 'direct') {
    Object.assign(init.headers, { 'x-api-key': need('key', 'Paste your Anthropic key first.'), 'anthropic-version': '2023-06-01', 'anthropic-dangerous-direct-browser-access': 'true' })
    answer = await fetch(new URL('/v1/messages', $('anthropic').value), init)
  } else if (mode() === 'token') {
    init.headers.authorization = 'Bearer ' + need('token', 'Paste a token first.')
    answer = await fetch(new URL('/proxy/chat', $('token-broker').value), init)
  } else {
    if (!session) throw new Trouble('Connect with AIPassport first: the button is below.')
    init.headers['anthropic-version'] = '2023-06-01'
    answer = await session.fetch(session.baseURL('anthropic') + '/v1/messages', init)
  }
  if (!answer.ok) throw await explain(answer)
  return read(await answer.json())
}

function need(id, words) {
  const v = $(id).value.trim()
  if (!v) throw new Trouble(words)
  return v
}

function state(name, mood, reading) {
  $('figure').dataset.state = name
  $('figure').style.setProperty('--mood', name === 'done' ? moods[mood].colour : '#6f7a86')
  $('word').textContent = name === 'done' ? mood : name === 'loading' ? 'Reading' : 'No mood yet'
  $('reading').textContent = reading
}

function problem(words) {
  $('problem').textContent = words
  $('problem').hidden = !words
}

function show(s) {
  const many = (n) => (n >= 100 ? '100 or more' : n.toLocaleString('en'))
  const day = new Date(s.pushed)
  const values = { stars: s.stars.toLocaleString('en'), pushed: Number.isNaN(day.getTime()) ? 'never' : day.toISOString().slice(0, 10), commits: many(s.commits), issues: many(s.issues), pulls: many(s.pulls), branches: many(s.branches) }
  for (const dd of document.querySelectorAll('[data-signal]')) dd.textContent = values[dd.dataset.signal]
  $('signals').hidden = false
}

try {
  connected(await restore(options()))
} catch (err) {
  refused(err)
}
