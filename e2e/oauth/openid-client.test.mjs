// The flows of openid-client (https://github.com/panva/openid-client), which tries again by itself where a DPoP nonce is asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as client from 'openid-client';
import { approve, called, chat, decoded, deny, details, device, grant, issuer, redirect } from './lab.mjs';

const options = { execute: [client.allowInsecureRequests] }; // the broker of the tests is on http://127.0.0.1
const completions = new URL('/v1/chat/completions', issuer);
const json = new Headers({ 'content-type': 'application/json' });
const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

// register makes a client of its own (RFC 7591) and finds the server's metadata (RFC 8414).
const register = (metadata = {}, auth = client.None()) => client.dynamicClientRegistration(issuer, {
  client_name: 'Notes', redirect_uris: [redirect], token_endpoint_auth_method: 'none', response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'], ...metadata,
}, auth, { algorithm: 'oauth2', ...options });

// request is the parameters of an authorization request, and what is needed to redeem its code.
async function request(asked = details()) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const parameters = { redirect_uri: redirect, code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256', state: expectedState, authorization_details: asked };
  return { parameters, checks: { pkceCodeVerifier, expectedState } };
}

// authorize runs the code flow with a pushed request (RFC 9126) and returns the tokens.
async function authorize(config, { asked, narrowed, dpop } = {}) {
  const { parameters, checks } = await request(asked);
  const callback = await approve(await client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP: dpop }), narrowed);
  return client.authorizationCodeGrant(config, callback, checks, undefined, { DPoP: dpop });
}

const fails = (promise, error, status) => assert.rejects(promise, (e) => {
  assert.equal(e.error ?? e.cause?.error, error, String(e));
  if (status) assert.equal(e.status, status);
  return true;
});

test('code, refresh, introspection and revocation of a confidential client', async () => {
  const config = await register({ token_endpoint_auth_method: 'client_secret_basic' }, undefined);
  const secret = client.ClientSecretBasic(config.clientMetadata().client_secret);
  const c = new client.Configuration(config.serverMetadata(), config.clientMetadata().client_id, config.clientMetadata(), secret);
  client.allowInsecureRequests(c);
  assert.equal(c.serverMetadata().issuer, issuer.origin);
  const tokens = await authorize(c, { narrowed: { scope: { maxBudgetCents: 100 } } });
  assert.equal(tokens.token_type, 'bearer');
  assert.equal(tokens.authorization_details[0].maxBudgetCents, 100, 'what was given is told (RFC 9396 section 7)');
  await called(await client.fetchProtectedResource(c, tokens.access_token, completions, 'POST', chat, json));

  const told = await client.tokenIntrospection(c, tokens.access_token);
  assert.equal(told.active, true);
  assert.equal(told.client_id, c.clientMetadata().client_id);
  assert.equal(told.authorization_details[0].maxBudgetCents, 100);

  const next = await client.refreshTokenGrant(c, tokens.refresh_token);
  assert.notEqual(next.access_token, tokens.access_token);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  await called(await client.fetchProtectedResource(c, next.access_token, completions, 'POST', chat, json));

  await client.tokenRevocation(c, next.refresh_token);
  await assert.rejects(client.fetchProtectedResource(c, next.access_token, completions, 'POST', chat, json), client.WWWAuthenticateChallengeError);
  await fails(client.refreshTokenGrant(c, next.refresh_token), 'invalid_grant', 400);
  assert.equal((await grant(tokens.grant_id)).status, 'revoked');
  assert.deepEqual(await client.tokenIntrospection(c, tokens.access_token), { active: false });
});

test('a public client, with the parameters in the open', async () => {
  const config = await register();
  const { parameters, checks } = await request();
  const callback = await approve(client.buildAuthorizationUrl(config, parameters));
  assert.equal(callback.searchParams.get('iss'), issuer.origin, 'iss (RFC 9207)');
  const tokens = await client.authorizationCodeGrant(config, callback, checks);
  const claims = decoded(tokens.access_token);
  assert.equal(claims.client_id, config.clientMetadata().client_id);
  assert.deepEqual(claims.authorization_details, tokens.authorization_details);
  await fails(client.authorizationCodeGrant(config, callback, checks), 'invalid_grant', 400);
});

test('a denial is told by the callback', async () => {
  const config = await register();
  const { parameters, checks } = await request();
  const callback = await deny(client.buildAuthorizationUrl(config, parameters));
  await fails(client.authorizationCodeGrant(config, callback, checks), 'access_denied');
});

test('private_key_jwt', async () => {
  const keys = await client.randomDPoPKeyPair('ES256', { extractable: true });
  const jwk = { ...await crypto.subtle.exportKey('jwk', keys.publicKey), kid: 'first', use: 'sig', alg: 'ES256' };
  delete jwk.key_ops; delete jwk.ext;
  const config = await register({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } }, client.PrivateKeyJwt({ key: keys.privateKey, kid: 'first' }));
  const tokens = await authorize(config);
  await called(await client.fetchProtectedResource(config, tokens.access_token, completions, 'POST', chat, json));
  assert.equal((await client.refreshTokenGrant(config, tokens.refresh_token)).token_type, 'bearer');
  const stranger = await client.randomDPoPKeyPair('ES256');
  const other = new client.Configuration(config.serverMetadata(), config.clientMetadata().client_id, config.clientMetadata(), client.PrivateKeyJwt({ key: stranger.privateKey, kid: 'first' }));
  client.allowInsecureRequests(other);
  await assert.rejects(client.buildAuthorizationUrlWithPAR(other, (await request()).parameters), (e) => e instanceof client.WWWAuthenticateChallengeError && e.status === 401);
});

for (const alg of ['ES256', 'PS256']) {
  test(`DPoP with ${alg}: code, call, refresh`, async () => {
    const config = await register();
    const keys = await client.randomDPoPKeyPair(alg);
    const dpop = client.getDPoPHandle(config, keys);
    const tokens = await authorize(config, { dpop });
    assert.equal(tokens.token_type, 'dpop');
    assert.ok(decoded(tokens.access_token).cnf.jkt);
    await called(await client.fetchProtectedResource(config, tokens.access_token, completions, 'POST', chat, json, { DPoP: dpop }));
    const next = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: dpop });
    await called(await client.fetchProtectedResource(config, next.access_token, completions, 'POST', chat, json, { DPoP: dpop }));
    // Without the key it is worth nothing.
    await assert.rejects(client.fetchProtectedResource(config, next.access_token, completions, 'POST', chat, json), (e) => e.status === 401);
    const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg));
    await assert.rejects(client.fetchProtectedResource(config, next.access_token, completions, 'POST', chat, json, { DPoP: thief }), (e) => e.status === 401);
    await fails(client.refreshTokenGrant(config, next.refresh_token, undefined, { DPoP: thief }), 'invalid_grant', 400);
    await called(await client.fetchProtectedResource(config, next.access_token, completions, 'POST', chat, json, { DPoP: dpop }));
  });
}

test('the device flow', async () => {
  const config = await register({ grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'] });
  const asked = await client.initiateDeviceAuthorization(config, { authorization_details: details() });
  assert.match(asked.user_code, /^[A-Z]{4}-[A-Z]{4}$/);
  assert.equal(asked.verification_uri, issuer.origin + '/device');
  await device(asked.user_code, true);
  const tokens = await client.pollDeviceAuthorizationGrant(config, { ...asked, interval: 0 });
  await called(await client.fetchProtectedResource(config, tokens.access_token, completions, 'POST', chat, json));
  assert.ok((await client.refreshTokenGrant(config, tokens.refresh_token)).access_token);
  const denied = await client.initiateDeviceAuthorization(config, { authorization_details: details() });
  await device(denied.user_code, false);
  await fails(client.pollDeviceAuthorizationGrant(config, { ...denied, interval: 0 }), 'access_denied', 400);
});

test('token exchange: a narrower grant for another actor', async () => {
  const config = await register();
  const parent = await authorize(config, { asked: details({ maxDelegationDepth: 1 }) });
  const child = await client.genericGrantRequest(config, exchange, {
    subject_token: parent.access_token, subject_token_type: accessToken, requested_token_type: accessToken,
    authorization_details: details({ maxBudgetCents: 50, maxDelegationDepth: 0 }),
  });
  assert.equal(child.issued_token_type, accessToken);
  assert.equal(child.refresh_token, undefined, 'a child is not refreshed');
  assert.equal(child.authorization_details[0].maxBudgetCents, 50);
  await called(await client.fetchProtectedResource(config, child.access_token, completions, 'POST', chat, json));
  await fails(client.genericGrantRequest(config, exchange, {
    subject_token: parent.access_token, subject_token_type: accessToken, authorization_details: details({ maxBudgetCents: 501, maxDelegationDepth: 0 }),
  }), 'invalid_authorization_details', 400);
  await client.tokenRevocation(config, parent.refresh_token);
  await assert.rejects(client.fetchProtectedResource(config, child.access_token, completions, 'POST', chat, json), (e) => e.status === 401);
});
