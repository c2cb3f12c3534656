// The suites' way to the lab of the folder above: each cell of the table gets a grant of its own and a mark by which the
// fake provider knows its calls, and the lab says what was wrong with them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

export const every = ['openai', 'anthropic', 'google'];

// said is the text of an answer that the fake gives unless it was told otherwise.
export const said = 'piece-0 piece-1 piece-2 ';
export const saidBeforeTheError = 'piece-0 piece-1 ';
export const weather = { city: 'Zürich', days: 3 };
export const clock = { zone: 'CET' };
export const ada = { name: 'Ada', age: 36 };

export const personSchema = {
  type: 'object', additionalProperties: false, required: ['name', 'age'], properties: { name: { type: 'string' }, age: { type: 'integer' } },
};
export const weatherSchema = { type: 'object', required: ['city'], properties: { city: { type: 'string' }, days: { type: 'integer' } } };
export const clockSchema = { type: 'object', required: ['zone'], properties: { zone: { type: 'string' } } };

export const embedder = { openai: 'text-embedding-3-small', google: 'gemini-embedding-001' };

async function tell(path, body) {
  const lab = process.env.SDK_LAB;
  assert.ok(lab, 'SDK_LAB is not set: run make sdk in the root');
  const res = await fetch(lab + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const text = await res.text();
  assert.equal(res.status, 200, `${path}: ${text}`);
  return JSON.parse(text);
}

// version of an installed package.
const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;

// show runs each feature with each target and tells the lab what came of it. A feature is a function of the case: base, key,
// mark, model, picture, sound, target, and fetch, which counts what the SDK sends.
export function show(client, pkg, targets, features) {
  describe(client, { concurrency: 8 }, () => {
    for (const target of targets) {
      for (const [name, feature] of Object.entries(features)) {
        test(`${client}/${target}/${name}`, async () => {
          const got = await tell('/case', { Client: client, Feature: name, Target: target });
          if (got.None) return; // the table says "-" and why
          const c = { base: got.Base, key: got.Key, mark: got.Case, model: got.Model, picture: got.Picture, sound: Buffer.from(got.Sound, 'base64'), target, sent: 0 };
          c.fetch = (url, init) => { c.sent++; return fetch(url, init); };
          let failed = '';
          try { await feature(c); } catch (e) { failed = String(e?.stack ?? e) || 'an error without a text'; }
          const verdict = await tell('/done', { Case: got.Case, Version: version(pkg), Error: failed.slice(0, 4000) });
          assert.equal(verdict.Wrong, '');
        });
      }
    }
  });
}

// withKey is a feature for which the lab gives an SDK key in the place of a token.
export const withKey = (feature) => (c) => {
  assert.match(c.key, /^aip_/);
  return feature(c);
};

// listed is an error if a list lacks the model, or has one of another provider.
export function listed(models, target, model) {
  assert.ok(models.includes(model), `the list has no ${model}: ${models}`);
  const foreign = { openai: /claude|gemini/, anthropic: /gpt|gemini/, google: /gpt|claude/ }[target];
  assert.deepEqual(models.filter((m) => foreign.test(m)), []);
}

// caught is the error that a promise ends with.
export async function caught(promise) {
  try { await promise; } catch (e) { return e; }
  assert.fail('there is no error');
}

export const at30 = (call) => Promise.all(Array.from({ length: 30 }, call));

// noSuchModel names a model that has no price. Where it is another provider's than the surface's, its name says whose.
export const noSuchModel = (c, own) => (c.target === own ? '' : c.target + '/') + 'no-such-model';
