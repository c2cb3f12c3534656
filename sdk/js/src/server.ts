import * as oauth from 'oauth4webapi'
import { ConnectError } from './types.js'
import * as store from './store.js'

/** A broker as its metadata describes it (RFC 8414). */
export interface Server {
  as: oauth.AuthorizationServer
  /** For oauth4webapi: plain http is let through for this computer's own broker only. */
  relaxed: { [oauth.allowInsecureRequests]: boolean }
}

const servers = new Map<string, Promise<Server>>()

/** issuer is a broker's address as it is compared: without a slash at its end. */
export function issuer(broker: string | URL): string {
  const u = new URL(broker)
  if (u.protocol !== 'https:' && !local(u)) {
    throw new ConnectError('invalid_broker', `${u.origin} is not https`)
  }
  return u.href.replace(/\/$/, '')
}

const local = (u: URL) => u.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(u.hostname)

/** discover reads a broker's metadata once a page. */
export function discover(iss: string): Promise<Server> {
  let found = servers.get(iss)
  if (!found) {
    found = read(iss)
    servers.set(iss, found)
    found.catch(() => servers.delete(iss))
  }
  return found
}

async function read(iss: string): Promise<Server> {
  const url = new URL(iss)
  const relaxed = { [oauth.allowInsecureRequests]: local(url) }
  const answer = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...relaxed })
  const as = await oauth.processDiscoveryResponse(url, answer)
  // The person may have been talked into this broker. What it says is where their browser goes: to a page of its own, never to a script,
  // which would run as the app's.
  if (!as.authorization_endpoint?.startsWith(url.origin + '/')) throw new ConnectError('invalid_broker', `${url.origin} leads elsewhere`)
  return { as, relaxed }
}

/** identify returns the client id: the app's own, or one that this browser registered before, or registers now (RFC 7591). */
export async function identify(s: Server, o: { clientId?: string; appName?: string; redirectUri: string }): Promise<oauth.Client> {
  if (o.clientId) return { client_id: o.clientId }
  const key = clientKey(s.as.issuer, o.redirectUri)
  const known = await store.get<string>('client', key)
  if (known) return { client_id: known }
  const metadata = {
    client_name: o.appName ?? location.hostname,
    redirect_uris: [o.redirectUri],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    dpop_bound_access_tokens: true,
  }
  const answer = await fetch(s.as.registration_endpoint!, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(metadata) })
  const said = await answer.json()
  if (answer.status !== 201 || typeof said.client_id !== 'string') throw new ConnectError(said.error ?? 'unregistered', said.error_description ?? 'the broker did not register the app')
  await store.put('client', key, said.client_id)
  return { client_id: said.client_id }
}

/** clientKey is what a registration is kept by. */
export const clientKey = (iss: string, redirectUri: string) => `${iss.replace(/\/$/, '')} ${redirectUri}`

/** forget drops a registration that the broker does not know any more. */
export const forget = (s: Server, redirectUri: string) => store.drop('client', clientKey(s.as.issuer, redirectUri))
