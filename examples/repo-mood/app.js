// repo-mood: a page that uses only what AIPassport offers to every app.
import { Trouble, parse, signals } from './github.js'
import { draw } from './ring.js'
import { explain, moods, prompt, read, request } from './mood.js'
import { ConnectError, connect, restore } from './aipassport.js' // the build of sdk/js

const $ = (id) => document.getElementById(id)
let session
let running
let waiting // for the person's answer on the consent page
let given // what the grant had in all: cents, calls and micro-dollars
const low = 1 / 5 // of what was given
const fields = ['broker', 'provider', 'model', 'repo', 'github', 'anthropic'] // kept while this tab is away at the broker
const nothingAdded = 'Nothing was added. What is left is still yours.'

// Whoever serves this page may set its fields in settings.json beside it. A link may name a repository and nothing else: not where
// tokens and keys are sent.
try {
  const set = await (await fetch('settings.json')).json()
  for (const id of ['broker', 'token-broker', 'provider', 'model', 'anthropic', 'github', 'repo']) if (typeof set[id] === 'string') $(id).value = set[id]
  if (typeof set.note === 'string') $('note').textContent = set.note
  $('note').hidden = !$('note').textContent
} catch {} // there is none
if (matchMedia('(pointer: coarse)').matches) choose('redirect') // phones block windows, or bury them
const kept = back()
const named = new URLSearchParams(location.hash.slice(1)).get('repo')
if (named) $('repo').value = named.slice(0, 140)

draw($('ring'))

const mode = () => document.querySelector('input[name=mode]:checked').value

/** Where the person is asked: in a window (popup), or in this tab (redirect). */
const chosen = () => document.querySelector('input[name=where]:checked').value
function choose(where) {
  for (const r of document.querySelectorAll('input[name=where]')) r.checked = r.value === where
}

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

/** connected shows a session, or that there is none. */
function connected(s) {
  const other = s !== session
  session = s
  given = undefined
  $('connect').textContent = s ? 'Give the access back' : 'Connect with AIPassport'
  $('connect').classList.toggle('second', !!s)
  $('gauge').hidden = $('more').hidden = true
  $('left').textContent = $('wait').textContent = ''
  if (!s) return
  if (other) {
    s.addEventListener('change', () => s === session && left())
    s.addEventListener('end', () => s === session && connected(undefined))
  }
  look(s)
}

/** look asks what was given in all, to which what is left is compared. Without an answer the page goes on, and shows no gauge. */
async function look(s) {
  try {
    const now = await s.standing()
    if (s !== session) return
    given = { cents: Math.ceil(now.capMicroUsd / 10_000), calls: now.callsCap, microUsd: now.capMicroUsd }
    left()
  } catch {}
}

/** left shows what is left; when that is a fifth or less, more can be asked for. */
function left() {
  const r = session.remaining
  if (!r || waiting) return
  $('left').textContent = `${dollars(r.microUsd)} and ${r.calls} call${r.calls === 1 ? '' : 's'} left`
  if (!given) return
  const part = Math.min(r.microUsd / given.microUsd, r.calls / given.calls)
  $('gauge').hidden = false
  $('gauge').style.setProperty('--part', `${100 * part}%`)
  $('gauge').classList.toggle('low', part <= low)
  $('more').hidden = part > low
}

/** asking runs a step that asks the person: in a window, or in this tab, which is left then and comes back. */
async function asking(step) {
  const where = chosen()
  waiting = new AbortController()
  keep()
  $('connect').textContent = 'Stop waiting'
  $('more').hidden = true
  $('wait').textContent = where === 'popup' ? 'Answer in the window that opened.' : 'Going to your broker.'
  try {
    try {
      return await step({ mode: where, signal: waiting.signal })
    } catch (err) {
      if (err.code !== 'popup_blocked') throw err
      choose('redirect')
      keep()
      return await step({ mode: 'redirect', signal: waiting.signal })
    }
  } finally {
    waiting = undefined
  }
}

$('connect').addEventListener('click', async () => {
  if (waiting) return waiting.abort() // a window that was closed cannot be seen from here
  problem('')
  try {
    if (session) return await session.revoke()
    connected(await asking((how) => connect({ ...options(), ...how })))
  } catch (err) {
    connected(session)
    refused(err)
  }
})

$('more').addEventListener('click', async () => {
  problem('')
  const ask = { ...options().ask, maxBudgetCents: given.cents + 100, maxRequests: given.calls + 200 } // in all, of which the person sees the difference
  try {
    await asking((how) => session.topUp(ask, { reason: 'What you gave is nearly used up.', ...how }))
  } catch (err) {
    refused(err, nothingAdded)
  }
  connected(session)
})

// Back from the broker by the browser's own button, to the page as it was left: nobody waits any more.
addEventListener('pageshow', (e) => e.persisted && waiting?.abort())

function refused(err, denied = 'No access was given. That is fine; nothing was spent.') {
  const words = { denied, cancelled: '' }[err.code]
  problem(words ?? `Connecting did not work: ${err.message}`)
}

/** keep remembers the fields while this tab is away at the broker, and back takes them up. No key and no token is among them. */
function keep() {
  const values = Object.fromEntries(fields.map((id) => [id, $(id).value]))
  sessionStorage.setItem('repo-mood', JSON.stringify({ values, where: chosen(), more: !!session }))
}
function back() {
  try {
    const kept = JSON.parse(sessionStorage.getItem('repo-mood'))
    for (const id of fields) if (typeof kept.values[id] === 'string') $(id).value = kept.values[id]
    choose(kept.where)
    return kept
  } catch {} // nothing was kept
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
  refused(err, kept?.more ? nothingAdded : undefined)
  connected(await restore(options()).catch(() => undefined)) // a no leaves what was given before
}
