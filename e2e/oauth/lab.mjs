// What the suites share: where the broker is, and its owner, who answers requests. The Go test that starts a suite serves both.
import assert from 'node:assert/strict';

export const issuer = new URL(need('OAUTH_ISSUER'));
const lab = need('OAUTH_LAB');

function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run make oauth`);
  return value;
}

export const redirect = 'https://notes.example.com/callback';
export const model = 'gpt-4o-mini';

// access is one ai_access object; members replace those that it has by itself.
export const access = (members = {}) => ({ type: 'ai_access', provider: 'openai', models: [model], capabilities: ['chat'], maxBudgetCents: 500, maxRequests: 100, rateLimit: 1000, ...members });
export const details = (...members) => JSON.stringify(members.length ? members.map(access) : [access()]);

async function ask(path, body) {
  const res = await fetch(lab + path, { method: 'POST', body: JSON.stringify(body) });
  const text = await res.text();
  if (!res.ok) throw new Error(`the lab's ${path}: ${res.status} ${text}`);
  return JSON.parse(text);
}

// approve answers an authorization request as the owner and returns where the app is called back. What is given can be narrowed as in
// POST /grants/{id}/approve.
export const approve = async (address, narrowed = {}) => new URL((await ask('/decide', { address: String(address), approval: { expiresInSeconds: 3600, ...narrowed } })).callback);
export const deny = async (address) => new URL((await ask('/decide', { address: String(address) })).callback);

// device answers a device's request, by the code that it shows.
export const device = (userCode, approved) => ask('/device', { userCode, approved });

// grant is a grant as its owner sees it, with nothing of it in flight.
export const grant = (id) => ask('/grant', { id });

// decoded is the claims of a JWT.
export const decoded = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString());

// chat is the request of a call that the fake provider answers.
export const chat = JSON.stringify({ model, max_tokens: 50, messages: [{ role: 'user', content: 'hello' }] });

// called checks that a call was answered by the model.
export async function called(res) {
  const text = await res.text();
  assert.equal(res.status, 200, text);
  assert.equal(JSON.parse(text).object, 'chat.completion', text);
}
