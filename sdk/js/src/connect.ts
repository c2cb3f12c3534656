import * as oauth from 'oauth4webapi'
import { ConnectError, type Ask, type Options } from './types.js'
import { discover, forget, identify, issuer, type Server } from './server.js'
import { Session } from './session.js'
import * as store from './store.js'

/** How long an authorization may wait for its answer, in milliseconds: longer than the broker lets it. */
const patience = 60 * 60 * 1000

/** How long the callback page waits for the page that opened it to say that it goes on there, in milliseconds. */
const hail = 700

const here = () => location.origin === 'null' ? location.href.split(/[?#]/)[0]! : location.origin + location.pathname

/**
 * connect asks the person for access and returns a session. Call it from a press of a button, or browsers block the popup. In redirect
 * mode the page is left; call `restore` when it loads again. Errors: ConnectError.
 */
export async function connect(o: Options): Promise<Session> {
  return authorize(o, {})
}

/** authorize is connect with parameters of its own, such as the grant that is to be raised. */
export async function authorize(o: Options, more: Record<string, string>, keys?: CryptoKeyPair): Promise<Session> {
  const popup = (o.mode ?? 'popup') === 'popup' ? open('about:blank', '_blank', 'popup,width=520,height=780') : null
  if ((o.mode ?? 'popup') === 'popup' && !popup) throw new ConnectError('popup_blocked', 'the browser blocked the window')
  try {
    const { url, state } = await begin(o, more, keys)
    if (!popup) {
      location.assign(url)
      return await new Promise<never>((_, reject) => o.signal?.addEventListener('abort', () => reject(cancelled())))
    }
    const answer = listen(state, o.signal)
    popup.location.replace(url)
    return await finish(await answer)
  } catch (err) {
    popup?.close()
    throw err
  }
}

const cancelled = () => new ConnectError('cancelled', 'the app stopped waiting')

/** begin pushes the request (RFC 9126), keeps what its answer will need, and returns where the person is to go. */
async function begin(o: Options, more: Record<string, string>, given?: CryptoKeyPair): Promise<{ url: string; state: string }> {
  const s = await discover(issuer(o.broker))
  const redirectUri = o.redirectUri ?? here()
  const keys = given ?? (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])) // not extractable
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const params: Record<string, string> = {
    response_type: 'code',
    redirect_uri: redirectUri,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    authorization_details: JSON.stringify(details(o.ask)),
    ...more,
  }
  if (o.reason) params.reason = o.reason
  const { client, pushed } = await push(s, o, redirectUri, params, keys)
  await store.sweep(Date.now() - patience)
  const waiting: store.Waiting = { broker: s.as.issuer, clientId: client.client_id, redirectUri, verifier, keys, since: Date.now() }
  await store.put('waiting', state, waiting)
  const url = new URL(s.as.authorization_endpoint!)
  url.searchParams.set('client_id', client.client_id)
  url.searchParams.set('request_uri', pushed.request_uri)
  return { url: url.href, state }
}

async function push(s: Server, o: Options, redirectUri: string, params: Record<string, string>, keys: CryptoKeyPair) {
  for (let last = false; ; last = true) {
    const client = await identify(s, { ...o, redirectUri })
    const DPoP = oauth.DPoP(client, keys)
    try {
      const pushed = await nonced(async () => {
        const answer = await oauth.pushedAuthorizationRequest(s.as, client, oauth.None(), params, { DPoP, ...s.relaxed })
        return oauth.processPushedAuthorizationResponse(s.as, client, answer)
      })
      return { client, pushed }
    } catch (err) {
      // A registration that nobody used may have fallen out of the broker: register once more.
      if (last || o.clientId || !(err instanceof oauth.ResponseBodyError) || err.error !== 'invalid_client') throw wrap(err)
      await forget(s, redirectUri)
    }
  }
}

/** nonced runs a step again, once, when all that was missing was the server's nonce (RFC 9449 §8). */
export async function nonced<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (err) {
    if (!oauth.isDPoPNonceError(err)) throw err
    return step()
  }
}

export function details(ask: Ask | Ask[] | undefined): object[] {
  if (!ask) throw new ConnectError('invalid_request', 'connect needs to know what to ask for')
  return [ask].flat().map((a) => ({ type: 'ai_access', capabilities: ['chat'], ...a }))
}

export function wrap(err: unknown): unknown {
  if (err instanceof oauth.ResponseBodyError) return new ConnectError(err.error, err.error_description ?? err.error, { cause: err })
  if (err instanceof oauth.AuthorizationResponseError) {
    const code = err.error === 'access_denied' ? 'denied' : err.error
    return new ConnectError(code, err.error_description ?? 'the person gave no access', { cause: err })
  }
  return err
}

const channel = () => new BroadcastChannel('aipassport')

/** listen waits for the callback page, which has the same origin, to pass on the answer to a state. */
function listen(state: string, signal: AbortSignal | undefined): Promise<URLSearchParams> {
  return new Promise((resolve, reject) => {
    const ch = channel()
    const end = () => ch.close()
    ch.onmessage = (e: MessageEvent) => {
      const q = new URLSearchParams(String(e.data?.answer ?? ''))
      if (q.get('state') !== state) return
      ch.postMessage({ heard: state })
      end()
      resolve(q)
    }
    const stop = () => {
      end()
      reject(cancelled())
    }
    if (signal?.aborted) return stop()
    signal?.addEventListener('abort', stop)
  })
}

/** pass gives an answer to the page that waits for it, if one does. */
function pass(q: URLSearchParams): Promise<boolean> {
  const state = q.get('state')
  return new Promise((resolve) => {
    const ch = channel()
    const end = (heard: boolean) => {
      clearTimeout(timer)
      ch.close()
      resolve(heard)
    }
    const timer = setTimeout(() => end(false), hail)
    ch.onmessage = (e: MessageEvent) => {
      if (e.data?.heard === state) end(true)
    }
    ch.postMessage({ answer: q.toString() })
  })
}

/** finish checks an answer (state, RFC 9207 iss), redeems the code with the proof of our key, and keeps the session. */
async function finish(q: URLSearchParams): Promise<Session> {
  const w = await store.take<store.Waiting>('waiting', q.get('state') ?? '')
  if (!w || w.since < Date.now() - patience) throw new ConnectError('invalid_state', 'nobody here asked for this answer')
  const s = await discover(issuer(w.broker))
  const client: oauth.Client = { client_id: w.clientId }
  try {
    const good = oauth.validateAuthResponse(s.as, client, q, q.get('state')!)
    const DPoP = oauth.DPoP(client, w.keys)
    const tokens = await nonced(async () => {
      const answer = await oauth.authorizationCodeGrantRequest(s.as, client, oauth.None(), good, w.redirectUri, w.verifier, { DPoP, ...s.relaxed })
      return oauth.processAuthorizationCodeResponse(s.as, client, answer)
    })
    return await Session.start(s, client, w.redirectUri, w.keys, tokens)
  } catch (err) {
    throw wrap(err)
  }
}

/**
 * restore goes on with what this browser has: it completes an answer that this page was called back with, or takes up the session of
 * before. Call it whenever the page loads, before anything else. Nothing to go on with: undefined. Errors: ConnectError.
 */
export async function restore(o: Options): Promise<Session | undefined> {
  const q = new URLSearchParams(location.search)
  if (q.has('state') && (q.has('code') || q.has('error')) && q.has('iss')) {
    history.replaceState(history.state, '', location.pathname + location.hash) // a code does not belong into the history
    if (await pass(q)) {
      close() // does nothing where the browser does not allow it
      document.body?.replaceChildren('You can close this window.')
      return new Promise<never>(() => {})
    }
    return finish(q)
  }
  const iss = issuer(o.broker)
  const redirectUri = o.redirectUri ?? here()
  const key = await Session.key(iss, o.clientId, redirectUri)
  const kept = key && (await store.get<store.Kept>('session', key.name))
  if (!kept) return undefined
  return new Session(await discover(iss), { client_id: key.clientId }, redirectUri, kept)
}
