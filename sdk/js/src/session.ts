import * as oauth from 'oauth4webapi'
import { authorize, details, nonced, wrap } from './connect.js'
import { ConnectError, type Ask, type Options, type Remaining, type Standing } from './types.js'
import { clientKey, type Server } from './server.js'
import * as store from './store.js'

/** How long before its end a token is renewed, in milliseconds. */
const early = 60_000

/** Bodies up to this size, in bytes, are kept to be sent again when only the server's nonce was missing. */
const again = 32 << 20

/**
 * A session is the access that a person gave. Give its `fetch` to an official SDK: `new OpenAI({ apiKey: '-', baseURL:
 * session.baseURL('openai'), fetch: session.fetch, dangerouslyAllowBrowser: true })`. Events: `change` after each call and refresh, `end`
 * when the access is over.
 */
export class Session extends EventTarget {
  /** What was left after the last call; undefined before the first. */
  remaining: Remaining | undefined
  /** Whether the access is over: revoked, expired, given back. */
  ended = false

  #server: Server
  #client: oauth.Client
  #redirectUri: string
  #kept: store.Kept
  #dpop: oauth.DPoPHandle
  #renewing: Promise<void> | undefined

  /** @internal */
  constructor(server: Server, client: oauth.Client, redirectUri: string, kept: store.Kept) {
    super()
    this.#server = server
    this.#client = client
    this.#redirectUri = redirectUri
    this.#kept = kept
    this.#dpop = oauth.DPoP(client, kept.keys)
  }

  /** @internal */
  static async start(s: Server, client: oauth.Client, redirectUri: string, keys: CryptoKeyPair, t: oauth.TokenEndpointResponse): Promise<Session> {
    const session = new Session(s, client, redirectUri, { keys, grantId: '', access: '', refresh: '', expires: 0 })
    await session.#keep(t)
    return session
  }

  /** @internal name is what a session is kept by. */
  static async key(iss: string, clientId: string | undefined, redirectUri: string): Promise<{ name: string; clientId: string } | undefined> {
    const id = clientId ?? (await store.get<string>('client', clientKey(iss, redirectUri)))
    return id ? { name: clientKey(iss, id), clientId: id } : undefined
  }

  get #name() {
    return clientKey(this.#server.as.issuer, this.#client.client_id)
  }

  async #keep(t: oauth.TokenEndpointResponse): Promise<void> {
    if (t.token_type.toLowerCase() !== 'dpop') throw new ConnectError('invalid_token', 'the broker gave a token that is not bound to this browser')
    this.#kept = {
      ...this.#kept,
      grantId: String(t.grant_id ?? this.#kept.grantId),
      access: t.access_token,
      refresh: t.refresh_token ?? this.#kept.refresh,
      expires: Date.now() + (t.expires_in ?? 60) * 1000,
    }
    await store.put('session', this.#name, this.#kept)
    this.dispatchEvent(new Event('change'))
  }

  /** The grant's id at the broker. */
  get grantId(): string {
    return this.#kept.grantId
  }

  /** The base URL of a surface, as the official SDKs take it: OpenAI's for any model, Anthropic's and Google's for their own SDKs. */
  baseURL(surface: 'openai' | 'anthropic' | 'google' = 'openai'): string {
    const base = this.#server.as.issuer.replace(/\/$/, '')
    return base + { openai: '/v1', anthropic: '/anthropic', google: '/google' }[surface]
  }

  /**
   * fetch calls the broker with this session's token and a proof of its key, in place of whatever credential the caller set. It goes to
   * the broker's origin only: another address throws, and gets no token.
   */
  fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const req = new Request(input, init)
    const url = new URL(req.url)
    if (url.origin !== new URL(this.#server.as.issuer).origin) throw new TypeError(`AIPassport: ${url.origin} is not the broker`)
    url.searchParams.delete('key') // Google's SDK may put its key there
    const headers = new Headers(req.headers)
    for (const h of ['authorization', 'x-api-key', 'x-goog-api-key', 'dpop']) headers.delete(h)
    const body = req.body ? await req.arrayBuffer() : null
    if (body && body.byteLength > again) throw new TypeError(`AIPassport: a body of more than ${again} bytes`)
    if (this.#kept.expires - early < Date.now()) await this.#renew()
    let answer = await this.#send(req, url, headers, body)
    if (answer.status === 401 && !this.ended && /invalid_token/.test(answer.headers.get('www-authenticate') ?? '')) {
      await this.#renew(true) // it ended sooner than it said: revoked, or this computer slept
      if (!this.ended) answer = await this.#send(req, url, headers, body)
    }
    this.#note(answer)
    return answer
  }

  async #send(req: Request, url: URL, headers: Headers, body: ArrayBuffer | null): Promise<Response> {
    const once = () =>
      oauth.protectedResourceRequest(this.#kept.access, req.method, url, headers, body, { DPoP: this.#dpop, signal: req.signal, ...this.#server.relaxed })
    try {
      return await nonced(once)
    } catch (err) {
      if (err instanceof oauth.WWWAuthenticateChallengeError) return err.response // a refusal is an answer: the SDKs know what to do with it
      throw err
    }
  }

  #note(answer: Response): void {
    const n = (h: string) => Number(answer.headers.get(h) ?? NaN)
    const microUsd = n('AIPassport-Budget-Remaining-Micro-Usd')
    const calls = n('AIPassport-Calls-Remaining')
    if (Number.isNaN(microUsd) || Number.isNaN(calls)) return
    this.remaining = { microUsd, calls }
    this.dispatchEvent(new Event('change'))
  }

  /** renew gets a new token. Of several tabs one asks, and the others read what it got. */
  #renew(force = false): Promise<void> {
    const used = this.#kept.access
    const turn = async (): Promise<void> => {
      const now = await store.get<store.Kept>('session', this.#name)
      if (!now) return this.#over()
      this.#kept = now
      const fresh = now.expires - early > Date.now()
      if (fresh && (!force || now.access !== used)) return
      await this.#refresh()
    }
    const lock = async (): Promise<void> => {
      try {
        await navigator.locks.request('aipassport ' + this.#name, turn)
      } finally {
        this.#renewing = undefined
      }
    }
    return (this.#renewing ??= lock())
  }

  async #refresh(): Promise<void> {
    try {
      const t = await nonced(async () => {
        const answer = await oauth.refreshTokenGrantRequest(this.#server.as, this.#client, oauth.None(), this.#kept.refresh, { DPoP: this.#dpop, ...this.#server.relaxed })
        return oauth.processRefreshTokenResponse(this.#server.as, this.#client, answer)
      })
      await this.#keep(t)
    } catch (err) {
      if (!(err instanceof oauth.ResponseBodyError) || err.error !== 'invalid_grant') throw wrap(err)
      await this.#over() // the call goes out with the old token, and the SDK gets the broker's refusal
    }
  }

  async #over(): Promise<void> {
    this.ended = true
    await store.drop('session', this.#name)
    this.dispatchEvent(new Event('end'))
  }

  /** standing asks what the grant stands at. It costs nothing. */
  async standing(): Promise<Standing> {
    const answer = await this.fetch(this.baseURL() + '/grant')
    if (!answer.ok) throw new ConnectError('unavailable', `the broker answered ${answer.status}`)
    const s = (await answer.json()) as Standing
    this.remaining = { microUsd: s.remainingMicroUsd, calls: s.callsRemaining }
    this.dispatchEvent(new Event('change'))
    return s
  }

  /** topUp asks the person for more than this grant has. They see the difference only; the grant stays the same one. */
  async topUp(ask: Ask | Ask[], o: Pick<Options, 'mode' | 'signal' | 'reason'> = {}): Promise<void> {
    details(ask)
    const options: Options = { ...o, ask, broker: this.#server.as.issuer, clientId: this.#client.client_id, redirectUri: this.#redirectUri }
    const raised = await authorize(options, { grant_id: this.grantId }, this.#kept.keys)
    this.#kept = raised.#kept
    this.dispatchEvent(new Event('change'))
  }

  /** revoke gives the access back: the grant ends, for all its tokens. */
  async revoke(): Promise<void> {
    const answer = await oauth.revocationRequest(this.#server.as, this.#client, oauth.None(), this.#kept.refresh, { ...this.#server.relaxed })
    await oauth.processRevocationResponse(answer)
    await this.#over()
  }
}
