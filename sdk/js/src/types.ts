/** One provider's worth of access: an `ai_access` object of RFC 9396 authorization details. A limit left out is the person's to set. */
export interface Ask {
  /** A provider that the broker has: "openai", "anthropic", "google", or one that its owner added. */
  provider: string
  /** Names of models; left out: any model of the provider that has a price. */
  models?: string[]
  /** Left out: `["chat"]`. */
  capabilities?: string[]
  /** US cents. */
  maxBudgetCents?: number
  /** Calls in all. */
  maxRequests?: number
  /** Calls a minute. */
  rateLimit?: number
  /** Seconds since 1970 UTC. */
  expiresAt?: number
  /** How often the access may be handed on, narrower each time (RFC 8693). */
  maxDelegationDepth?: number
  /** Lower the asked output to what is left, instead of refusing. */
  clampOutput?: boolean
}

/** What `connect` and `restore` need to know. */
export interface Options {
  /** Address of the person's broker, which is its issuer: `https://passport.example.com`. */
  broker: string | URL
  /** What the app asks for; `restore` does not read it. */
  ask?: Ask | Ask[]
  /** The app's name, when it registers itself. The person sees it small, below the address that the access goes to. */
  appName?: string
  /** Why the app asks, in its own words. */
  reason?: string
  /**
   * The app's client id: the https address of its metadata document (shown as "Address checked"), or one that the broker gave. Left out:
   * the app registers itself once a browser (RFC 7591), and is shown as "Not checked".
   */
  clientId?: string
  /** Where the person comes back to. Left out: this page, without query and fragment. It must call `connect` or `restore` when it loads. */
  redirectUri?: string
  /** `popup` (the default) keeps the page as it is; `redirect` leaves it. */
  mode?: 'popup' | 'redirect'
  /** Ends the waiting. A popup that is closed cannot be seen from here, since the consent page cuts the link to whoever opened it. */
  signal?: AbortSignal
}

/** What an app may know of its own grant; see GET /v1/grant. Money is in micro-dollars: 1,000,000 are a dollar. */
export interface Standing {
  grantId: string
  status: string
  expiresAt: string
  capMicroUsd: number
  settledMicroUsd: number
  reservedMicroUsd: number
  remainingMicroUsd: number
  callsCap: number
  calls: number
  callsRemaining: number
  details: Array<Record<string, unknown>>
}

/** What was left after the last call, as its answer said. */
export interface Remaining {
  microUsd: number
  calls: number
}

/** Why connecting did not work: `denied` by the person, `cancelled` by the signal, or the code of an OAuth error. */
export class ConnectError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConnectError'
    this.code = code
  }
}
