// The flows of oauth4webapi (https://github.com/panva/oauth4webapi), which checks each answer by itself and leaves each step to the app.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as jose from 'jose';
import * as oauth from 'oauth4webapi';
import { approve, called, chat, details, grant, issuer, redirect } from './lab.mjs';

const insecure = { [oauth.allowInsecureRequests]: true }; // the broker of the tests is on http://127.0.0.1
const completions = new URL('/v1/chat/completions', issuer);
const json = () => new Headers({ 'content-type': 'application/json' });

const discover = async () => oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));

async function register(as, metadata = {}) {
  const res = await oauth.dynamicClientRegistrationRequest(as, {
    client_name: 'Notes', redirect_uris: [redirect], token_endpoint_auth_method: 'none', response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'], ...metadata,
  }, insecure);
  return oauth.processDynamicClientRegistrationResponse(res);
}

// authorize runs the code flow; try asks once more where a nonce is wanted (RFC 9449 section 8).
async function authorize(as, client, auth, DPoP) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const parameters = { response_type: 'code', redirect_uri: redirect, state, authorization_details: details(), code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' };
  const pushed = await twice(async () => oauth.processPushedAuthorizationResponse(as, client, await oauth.pushedAuthorizationRequest(as, client, auth, parameters, { DPoP, ...insecure })));
  assert.match(pushed.request_uri, /^urn:ietf:params:oauth:request_uri:/);
  const address = new URL(as.authorization_endpoint);
  address.search = String(new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri }));
  const callback = oauth.validateAuthResponse(as, client, await approve(address), state);
  return twice(async () => oauth.processAuthorizationCodeResponse(as, client, await oauth.authorizationCodeGrantRequest(as, client, auth, callback, redirect, verifier, { DPoP, ...insecure })));
}

async function twice(request) {
  try {
    return await request();
  } catch (e) {
    if (!oauth.isDPoPNonceError(e)) throw e;
    return request();
  }
}

test('the metadata names every endpoint of the issuer', async () => {
  const as = await discover();
  assert.equal(as.issuer, issuer.origin);
  for (const name of ['authorization_endpoint', 'token_endpoint', 'pushed_authorization_request_endpoint', 'device_authorization_endpoint', 'introspection_endpoint', 'revocation_endpoint', 'registration_endpoint', 'jwks_uri']) {
    assert.ok(as[name]?.startsWith(issuer.origin + '/'), `${name} is ${as[name]}`);
  }
  assert.deepEqual(as.code_challenge_methods_supported, ['S256']);
  assert.deepEqual(as.authorization_details_types_supported, ['ai_access']);
  assert.equal(as.authorization_response_iss_parameter_supported, true);
  assert.ok(as.dpop_signing_alg_values_supported.includes('ES256'));
});

test('the metadata of a resource leads to its authorization server', async () => {
  for (const path of ['', '/v1', '/anthropic', '/google']) {
    const resource = new URL(path, issuer);
    const rs = await oauth.processResourceDiscoveryResponse(resource, await oauth.resourceDiscoveryRequest(resource, insecure));
    assert.deepEqual(rs.authorization_servers, [issuer.origin]);
  }
  // Who has no token is told where to read that (RFC 9728 section 5.1).
  await assert.rejects(oauth.protectedResourceRequest('not-a-token', 'POST', completions, json(), chat, insecure), (e) => {
    assert.equal(e.status, 401);
    const challenge = e.cause.find((c) => c.scheme === 'bearer');
    assert.ok(challenge.parameters.resource_metadata.startsWith(issuer.origin + '/.well-known/oauth-protected-resource'), JSON.stringify(e.cause));
    assert.equal(challenge.parameters.error, 'invalid_token');
    return true;
  });
});

test('DPoP, step by step, with access tokens as RFC 9068 has them', async () => {
  const as = await discover();
  const client = await register(as, { dpop_bound_access_tokens: true });
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
  const tokens = await authorize(as, client, oauth.None(), DPoP);
  assert.equal(tokens.token_type, 'dpop');
  const call = () => oauth.protectedResourceRequest(tokens.access_token, 'POST', completions, json(), chat, { DPoP, ...insecure });
  await called(await twice(call));
  await called(await call());
  const keys = jose.createRemoteJWKSet(new URL(as.jwks_uri));
  const { payload, protectedHeader } = await jose.jwtVerify(tokens.access_token, keys, { issuer: as.issuer, typ: 'at+jwt', requiredClaims: ['sub', 'aud', 'exp', 'iat', 'jti', 'client_id'] });
  assert.equal(payload.client_id, client.client_id);
  assert.equal(protectedHeader.alg, 'ES256');
  const next = await twice(async () => oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, oauth.None(), tokens.refresh_token, { DPoP, ...insecure })));
  assert.equal(next.token_type, 'dpop');
});

test('introspection as a signed JWT', async () => {
  const as = await discover();
  const client = await register(as, { token_endpoint_auth_method: 'client_secret_basic' });
  const auth = oauth.ClientSecretBasic(client.client_secret);
  const tokens = await authorize(as, client, auth);
  const asked = { requestJwtResponse: true, ...insecure };
  const res = await oauth.introspectionRequest(as, client, auth, tokens.access_token, asked);
  assert.equal(res.headers.get('content-type').split(';')[0], 'application/token-introspection+jwt');
  const jwt = await res.clone().text();
  const keys = jose.createRemoteJWKSet(new URL(as.jwks_uri));
  await jose.jwtVerify(jwt, keys, { issuer: as.issuer, audience: client.client_id, typ: 'token-introspection+jwt' });
  const told = await oauth.processIntrospectionResponse(as, client, res);
  await oauth.validateApplicationLevelSignature(as, res, insecure);
  assert.equal(told.active, true);
  assert.equal(told.authorization_details[0].maxBudgetCents, 500);
  // What the server says of a token is signed with the key of tokens, and is none.
  await assert.rejects(oauth.protectedResourceRequest(jwt, 'POST', completions, json(), chat, insecure), (e) => e.status === 401);
});

test('a call above the grant tells what to ask for', async () => {
  const as = await discover();
  const client = await register(as);
  const tokens = await authorize(as, client, oauth.None());
  const other = JSON.stringify({ ...JSON.parse(chat), model: 'gpt-4o' });
  await assert.rejects(oauth.protectedResourceRequest(tokens.access_token, 'POST', completions, json(), other, insecure), (e) => {
    assert.equal(e.status, 403);
    const challenge = e.cause.find((c) => c.scheme === 'bearer');
    assert.equal(challenge.parameters.error, 'insufficient_authorization_details', JSON.stringify(e.cause));
    return true;
  });
  assert.equal((await grant(tokens.grant_id)).settledMicroUsd, 0);
});

test('a client reads, changes and removes its registration', async () => {
  const as = await discover();
  const client = await register(as);
  const manage = (method, body) => fetch(client.registration_client_uri, { method, body: body && JSON.stringify(body), headers: { authorization: `Bearer ${client.registration_access_token}`, ...(body && { 'content-type': 'application/json' }) } });
  const read = await manage('GET');
  assert.equal(read.status, 200);
  assert.deepEqual((await read.json()).redirect_uris, [redirect]);
  const changed = await manage('PUT', { client_id: client.client_id, client_name: 'Notes 2', redirect_uris: [redirect], token_endpoint_auth_method: 'none' });
  assert.equal(changed.status, 200, await changed.clone().text());
  const tokens = await authorize(as, client, oauth.None());
  assert.ok(tokens.access_token);
  assert.equal((await manage('DELETE')).status, 204);
  assert.equal((await manage('GET')).status, 401);
});
